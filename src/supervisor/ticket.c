/*
 * The keys of session tickets: made here, where every worker's come from, and
 * replaced in time, so that who steals one cannot read what was sealed before or
 * long after.
 */
#include <string.h>

#include "supervisor.h"
#include "sys/log.h"
#include "sys/random.h"

static bool is_due(const TicketKeys *keys, int64_t now_ms, int64_t rotate_ms)
{
	return keys->n == 0 || (rotate_ms > 0 && now_ms - keys->at[0].made_s * 1000 >= rotate_ms);
}

/* Nobody else writes the row, so it is always whole for us. */
void ticket_keys_watch(Supervisor *s, int64_t now_ms)
{
	TicketKey fresh = {.made_s = now_ms / 1000};
	TicketKeys keys;

	if (!ROW_LOAD(&s->shared->tickets, &keys) ||
	    !is_due(&keys, now_ms, conf_ms(s->conf->reveille.client_tls_ticket_rotate)))
		return;
	random_bytes(fresh.name, sizeof(fresh.name));
	random_bytes(fresh.cipher_key, sizeof(fresh.cipher_key));
	random_bytes(fresh.mac_key, sizeof(fresh.mac_key));
	ticket_keys_turn(&keys, &fresh);
	ROW_STORE(&s->shared->tickets, &keys);
	log_debug("there is a new key for session tickets: keys=%d", keys.n);
	explicit_bzero(&fresh, sizeof(fresh));
	explicit_bzero(&keys, sizeof(keys));
}
