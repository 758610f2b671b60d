#include "base/ticket_key.h"

#include <string.h>

void ticket_keys_turn(TicketKeys *k, const TicketKey *fresh)
{
	if (k->n < TICKET_KEYS)
		k->n++;
	memmove(&k->at[1], &k->at[0], (size_t)(k->n - 1) * sizeof(k->at[0]));
	k->at[0] = *fresh;
}
