#include "peers.h"

#include <assert.h>
#include <string.h>

#define MARK_SIZE 8
#define LONG_KEY  32

/* No secret begins like this but one in 2^64. */
static const uint8_t mark[MARK_SIZE] = {0xa7, 'R', 'v', 'P', 'e', 'e', 'r', 0x01};

bool peers_unmark(CancelKey *key)
{
	if (key->secret_size <= MARK_SIZE || memcmp(key->secret, mark, MARK_SIZE) != 0)
		return false;
	key->secret_size = (uint8_t)(key->secret_size - MARK_SIZE);
	memmove(key->secret, key->secret + MARK_SIZE, key->secret_size);
	return true;
}

void peers_mark(CancelKey *key)
{
	assert(key->secret_size + MARK_SIZE <= CANCEL_MARKED_MAX);
	memmove(key->secret + MARK_SIZE, key->secret, key->secret_size);
	memcpy(key->secret, mark, MARK_SIZE);
	key->secret_size = (uint8_t)(key->secret_size + MARK_SIZE);
}

bool peers_concerns(const Config *conf, const PeerEntry *peer, const CancelKey *key)
{
	if (conf->reveille.peer_id == 0 || peer->id == conf->reveille.peer_id)
		return false;
	if (key->secret_size == LONG_KEY)
		return peer->id == (key->secret[0] << 8 | key->secret[1]);
	return key->secret_size == 4;
}
