#include "model/party.h"

#include "base/text.h"

#define LOOK_BACK 16 /* a storm is mostly of one party, or of a few that take turns */

Party party_of(const SlotInfo *info)
{
	Party p;

	memset(&p, 0, sizeof(p));
	text_copy(p.role, sizeof(p.role), info->user);
	text_copy(p.application_name, sizeof(p.application_name), info->application_name);
	text_copy(p.network, sizeof(p.network), info->network);
	text_printable(p.role);
	text_printable(p.application_name);
	return p;
}

static bool is_same(const Parting *a, const Parting *b)
{
	return a->route == b->route && a->tenancy == b->tenancy &&
	       memcmp(&a->who, &b->who, sizeof(a->who)) == 0;
}

static bool is_noted(const Partings *list, uint64_t n, const Parting *p)
{
	Parting old;

	for (uint64_t i = n; i > 0 && n - i < LOOK_BACK; i--) {
		if (!ROW_LOAD(&list->at[(i - 1) % PARTINGS_KEPT], &old) ||
		    p->at_ms - old.at_ms >= PARTINGS_SAME_MS)
			return false; /* it, and what is before it, is too old */
		if (is_same(p, &old))
			return true;
	}
	return false;
}

void parting_note(Partings *list, const Parting *p)
{
	uint64_t n = atomic_load_explicit(&list->n, memory_order_relaxed);

	if (is_noted(list, n, p))
		return;
	ROW_STORE(&list->at[n % PARTINGS_KEPT], p);
	atomic_store(&list->n, n + 1);
}

bool parting_next(const Partings *list, uint64_t *seen, Parting *out)
{
	uint64_t n = atomic_load(&list->n);

	if (n - *seen > PARTINGS_KEPT)
		*seen = n - PARTINGS_KEPT;
	for (; *seen < n; (*seen)++) {
		if (ROW_LOAD(&list->at[*seen % PARTINGS_KEPT], out)) {
			(*seen)++;
			return true;
		}
	}
	return false;
}
