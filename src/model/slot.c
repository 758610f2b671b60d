#include "model/slot.h"

#include "base/bytes.h"
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
	atomic_store(&head->transactions, 0);
	atomic_store(&head->route, 0);
	atomic_store(&head->owner, 0);
}

uint64_t slot_key(uint32_t pid, const uint8_t secret[4])
{
	uint64_t key = (uint64_t)pid << 32 | get_u32(secret);

	return key ? key : 1;
}

uint32_t slot_find(const Shared *sh, uint64_t key, SlotInfo *info)
{
	uint32_t found = SLOT_NONE;

	for (uint32_t slot = 0; slot < (uint32_t)sh->n_slots; slot++) {
		if (atomic_load_explicit(&sh->heads[slot].key, memory_order_relaxed) == key)
			found = slot;
	}
	if (found == SLOT_NONE || !ROW_LOAD(&sh->slots[found], info))
		return SLOT_NONE;
	/* Should the slot have changed hands meanwhile, that was another's. */
	if (atomic_load(&sh->heads[found].key) != key)
		return SLOT_NONE;
	return found;
}
