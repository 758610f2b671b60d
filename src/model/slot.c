#include "model/slot.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/text.h"
#include "model/shared.h"

uint32_t slot_claim(Shared *sh, uint32_t claimer, uint32_t *hint)
{
	uint32_t n = atomic_load_explicit(&sh->max_clients, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = (*hint + i) % n, nobody = 0;

		if (atomic_load_explicit(&sh->heads[slot].owner, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&sh->heads[slot].owner, &nobody, claimer)) {
			*hint = slot + 1;
			return slot;
		}
	}
	return SLOT_NONE;
}

/* The key dies first, so that nobody can cancel who comes next. */
void slot_release(Shared *sh, uint32_t slot, uint32_t *hint)
{
	SlotHead *head = &sh->heads[slot];
	SlotInfo nothing = {0};

	*hint = slot;
	atomic_store(&head->key, 0);
	ROW_STORE(&sh->slots[slot], &nothing);
	atomic_store(&head->at_work, 0);
	atomic_store(&head->listening, 0);
	atomic_store(&head->transactions, 0);
	atomic_store(&head->route, 0);
	atomic_store(&head->owner, 0);
}

uint64_t slot_key(uint32_t pid, const uint8_t *secret, size_t size)
{
	uint64_t key = (uint64_t)pid << 32 | get_u32(secret);

	assert(size >= SLOT_SECRET_MIN && size <= SLOT_SECRET_MAX);
	if (size >= 8)
		key ^= (uint64_t)get_u32(secret + 4) << 32;
	return key ? key : 1;
}

/* The slot's head said yes, but a key is short, and the slot may have changed hands since. */
static bool is_of(const SlotInfo *info, uint32_t pid, const uint8_t *secret, size_t size)
{
	return info->compute_pid == pid && info->client_secret_size == size &&
	       bytes_equal_in_constant_time(info->client_secret, secret, size);
}

uint32_t slot_find(const Shared *sh, uint32_t pid, const uint8_t *secret, size_t size,
		   SlotInfo *info)
{
	uint32_t found = SLOT_NONE;
	uint64_t key;

	if (size < SLOT_SECRET_MIN || size > SLOT_SECRET_MAX)
		return SLOT_NONE;
	key = slot_key(pid, secret, size);
	for (uint32_t slot = 0; slot < (uint32_t)sh->n_slots; slot++) {
		if (atomic_load_explicit(&sh->heads[slot].key, memory_order_relaxed) == key)
			found = slot;
	}
	if (found == SLOT_NONE || !ROW_LOAD(&sh->slots[found], info) ||
	    !is_of(info, pid, secret, size))
		return SLOT_NONE;
	return found;
}
