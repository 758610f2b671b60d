#include "model/slot.h"

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
	ROW_STORE(&sh->slots[slot], &nothing);
	atomic_store(&head->at_work, 0);
	atomic_store(&head->transactions, 0);
	atomic_store(&head->route, 0);
	atomic_store(&head->owner, 0);
}

void slot_key(uint32_t slot, const uint8_t random[8], uint32_t *pid, uint8_t secret[4])
{
	/* Positive, as process ids are. */
	*pid = ((get_u32(random) << SLOT_BITS | slot) & INT32_MAX) | SLOTS_MAX;
	memcpy(secret, random + 4, 4);
}

uint32_t slot_find(const Shared *sh, uint32_t pid, const uint8_t *secret, size_t secret_size,
		   SlotInfo *info)
{
	uint32_t slot = pid & (SLOTS_MAX - 1);
	uint8_t said[8] = {0}, truth[8];

	if (slot >= (uint32_t)sh->n_slots || atomic_load(&sh->heads[slot].owner) == 0 ||
	    !ROW_LOAD(&sh->slots[slot], info))
		return SLOT_NONE;
	put_u32(said, pid);
	memcpy(said + 4, secret, secret_size < 4 ? secret_size : 4);
	put_u32(truth, info->pid);
	memcpy(truth + 4, info->secret, 4);
	if (!bytes_equal_in_constant_time(said, truth, 8) || secret_size != 4 || info->pid == 0)
		return SLOT_NONE;
	return slot;
}
