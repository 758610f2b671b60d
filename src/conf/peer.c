#include "conf/peer.h"

#include <stdlib.h>
#include <string.h>

#include "pairs.h"

#define ID_MAX 16383 /* as PgBouncer's, which has 14 bits for it in a cancel key */

static bool refuse_pool_size(void *record, size_t size, const char *key, const char *value,
			     Fault *why)
{
	(void)record, (void)size, (void)value;
	return fault_set(why, FAULT_BAD_SETTING,
			 "%s means nothing here: cancel requests go to a peer without a pool; "
			 "remove it",
			 key);
}

static const PairKey keys[] = {
	PAIR_FIELD("host", pair_text, PeerEntry, host),
	PAIR_FIELD("port", pair_port, PeerEntry, port),
	PAIR_RECORD("pool_size", refuse_pool_size, PeerEntry),
};

static const PairTable table = {keys, sizeof(keys) / sizeof(keys[0]),
				"of a peer; there are host and port"};

bool peer_parse(PeerEntry *p, const char *id, const char *value, Fault *why)
{
	size_t digits = strspn(id, "0123456789");

	*p = (PeerEntry){.port = 5432};
	p->id = digits > 0 && digits < 6 && !id[digits] ? atoi(id) : 0;
	if (p->id < 1 || p->id > ID_MAX)
		return fault_set(why, FAULT_BAD_SETTING,
				 "a peer's name is its peer_id, from 1 to %d, not \"%.80s\"",
				 ID_MAX, id);
	if (!pairs_parse(&table, p, value, why))
		return false;
	return *p->host || fault_set(why, FAULT_BAD_SETTING, "a peer needs host=…");
}
