#include "tab.h"

static int64_t hour_of(int64_t at)
{
	return at - at % METER_HOUR;
}

int64_t tab_now(const Tab *t, int64_t boot_us)
{
	int64_t now = t->started_at + boot_us - t->started_boot;

	return t->watched && now > t->seen_at ? now : t->seen_at;
}

/* Waits for nothing: who woke it is known by now, or will be told by a report. */
static void begin_clock(Tab *t, int64_t at)
{
	static const Cause nobody = {.kind = CAUSE_CLIENT};

	awake_begin(&t->clock, &t->next_cause, at);
	t->cause_used_at = at;
	t->next_cause = nobody;
}

void tab_begin(Tab *t, int64_t at, int64_t boot_us, int size)
{
	t->started_at = at > t->ended_at ? at : t->ended_at;
	t->started_boot = boot_us;
	t->seen_at = t->started_at;
	t->watched = true;
	t->size = size;
	begin_clock(t, t->started_at);
}

void tab_resume(Tab *t, const Interval *open)
{
	t->started_at = open->started_at;
	t->started_boot = open->started_boot;
	t->seen_at = open->last_seen;
	t->watched = false;
	t->size = open->size;
	t->cpu_start = open->cpu_start;
}

void tab_watch(Tab *t, int64_t boot_us)
{
	if (t->started_at == 0 || t->watched)
		return;
	t->watched = true;
	begin_clock(t, t->seen_at);
	t->seen_at = tab_now(t, boot_us);
}

void tab_end(Tab *t, int64_t at)
{
	awake_end(&t->clock, &t->hour, at);
	t->ended_at = at > t->started_at ? at : t->started_at;
	t->started_at = 0;
	t->watched = false;
}

bool tab_pass(Tab *t, int64_t now)
{
	int64_t end = t->hour_at + METER_HOUR;

	if (t->clock.since == 0 || now < end) {
		awake_pass(&t->clock, &t->hour, now);
		return true;
	}
	if (t->clock.since < end)
		awake_pass(&t->clock, &t->hour, end);
	return false;
}

/* The page is that of what is still to be given. */
void tab_turn_page(Tab *t, int64_t now)
{
	t->hour = (AwakeHour){0};
	t->hour_at = hour_of(t->clock.since ? t->clock.since : now);
}

bool tab_is_anonymous(const Tab *t)
{
	const Cause *c = &t->clock.cause;

	return t->clock.since > 0 && c->kind == CAUSE_CLIENT && !*c->role && !*c->application &&
	       !*c->network;
}

void tab_blame(Tab *t, const Cause *cause, int64_t used_at)
{
	if (t->clock.since == 0)
		return;
	if (!tab_is_anonymous(t) && used_at < t->cause_used_at)
		return;
	t->clock.cause = *cause;
	if (used_at > t->cause_used_at)
		t->cause_used_at = used_at;
}

int64_t tab_used(const Tab *t, int64_t boot_us, int64_t from, int64_t to)
{
	const Interval open = {.kind = INTERVAL_ACTIVE,
			       .size = t->size,
			       .started_at = t->started_at,
			       .last_seen = tab_now(t, boot_us)};
	Usage sum = {0};

	if (t->started_at > 0)
		meter_fold(&sum, &open, 1, "", from, to);
	return sum.compute_us;
}
