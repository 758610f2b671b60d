#include "allowance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "controller.h"
#include "heartbeat.h"
#include "ledger.h"
#include "outbox.h"
#include "reconcile.h"
#include "sys/clock.h"
#include "sys/log.h"

#define COMPUTE_SECOND INT64_C(1000000000)

static bool is_limited(const ProjectEntry *e)
{
	return e->settings.quota.limits[QUOTA_COMPUTE] > 0 ||
	       e->settings.quota.limits[QUOTA_STORAGE] > 0;
}

static bool is_of(const Unit *u, const ProjectEntry *e)
{
	return strcmp(u->compute.project_id, e->project.id) == 0;
}

/* ---- what was used before this process watched -------------------------- */

static void reconcile_all(Controller *c, const ProjectEntry *e)
{
	Unit *u, *next;

	HASH_ITER(hh, c->fleet.units, u, next)
	{
		if (is_of(u, e))
			reconcile(u);
	}
}

/* Answers come in the order of the questions: what was open at this one is in the tabs. */
static int64_t ended_use(const StoreRows *rows, const QuotaPeriod *period)
{
	Usage sum = {0};

	for (int i = 0; i < rows->n; i++) {
		if (rows->intervals[i].ended_at)
			meter_fold(&sum, &rows->intervals[i], 1, "", period->start, period->end);
	}
	return sum.compute_us;
}

typedef struct Question {
	Controller *c;
	char project_id[ID_SIZE];
	QuotaPeriod period;
} Question;

/* NULL if the project is gone by now. */
static ProjectEntry *entry_of(const Question *q)
{
	return fleet_entry(&q->c->fleet, q->project_id);
}

static void learn(Controller *c, ProjectEntry *e, int64_t spent)
{
	e->allowance.spent = spent;
	e->allowance.known = true;
	allowance_look_soon(c);
	reconcile_all(c, e);
}

static void on_intervals(void *arg, const StoreRows *rows, const Fault *why)
{
	Question *q = arg;
	ProjectEntry *e = entry_of(q);

	if (e)
		e->allowance.asking = false;
	if (why)
		log_error("could not read what a project used: project=%s error=\"%s\"",
			  q->project_id, why->detail);
	else if (e && e->allowance.period.start == q->period.start)
		learn(q->c, e, ended_use(rows, &q->period));
	free(q);
}

/* Those that were measured meanwhile know better. */
static void on_samples(void *arg, const StoreRows *rows, const Fault *why)
{
	Question *q = arg;

	for (int i = 0; !why && i < rows->n; i++) {
		Unit *u = fleet_compute(&q->c->fleet, rows->samples[i].compute_id);

		if (u && u->bytes < 0)
			u->bytes = rows->samples[i].bytes;
	}
	free(q);
}

static Question *question_of(Controller *c, const ProjectEntry *e)
{
	Question *q = NEW(Question);

	*q = (Question){.c = c, .period = e->allowance.period};
	text_copy(q->project_id, sizeof(q->project_id), e->project.id);
	return q;
}

static Page page_of(const ProjectEntry *e, int64_t from, int64_t to)
{
	Page page = {.from = from, .to = to};

	text_copy(page.project_id, sizeof(page.project_id), e->project.id);
	return page;
}

static void ask(Controller *c, ProjectEntry *e)
{
	Allowance *a = &e->allowance;
	Page page = page_of(e, a->period.start, a->period.end);
	Page last = page_of(e, wall_us(), wall_us() + 1);

	a->asking = true;
	if (!a->asked_bytes)
		store_sample_list(c->store, &last, (StoreCall){on_samples, question_of(c, e)});
	a->asked_bytes = true;
	store_interval_list(c->store, &page, (StoreCall){on_intervals, question_of(c, e)});
}

/* False while that is being found out: at the beginning, and when a period begins. */
static bool is_known(Controller *c, ProjectEntry *e)
{
	Allowance *a = &e->allowance;
	QuotaPeriod now = quota_period(&e->settings.quota, e->project.created_at, wall_us());

	if (!is_limited(e))
		return true;
	if (now.start != a->period.start || now.end != a->period.end)
		*a = (Allowance){.period = now,
				 .asking = a->asking,
				 .asked_bytes = a->asked_bytes,
				 .making = a->making};
	if (!a->known && !a->asking)
		ask(c, e);
	return a->known;
}

void allowance_spent(Unit *u, int64_t from, int64_t to, int size)
{
	ProjectEntry *e = fleet_entry(&u->controller->fleet, u->compute.project_id);
	const Interval ended = {
		.kind = INTERVAL_ACTIVE, .size = size, .started_at = from, .ended_at = to};
	Usage sum = {0};

	if (!e || !e->allowance.known)
		return;
	meter_fold(&sum, &ended, 1, "", e->allowance.period.start, e->allowance.period.end);
	e->allowance.spent += sum.compute_us;
}

/* ---- what is used ------------------------------------------------------- */

/* Compute-microseconds × thousandths. */
static int64_t compute_use(const Controller *c, const ProjectEntry *e)
{
	const Allowance *a = &e->allowance;

	return a->spent + ledger_open_use(c, e->project.id, a->period.start, a->period.end);
}

typedef struct Counts {
	int computes, sessions;
	int64_t bytes;
	int64_t rate; /* the sum of the sizes that run */
} Counts;

static Counts count(const Controller *c, const ProjectEntry *e)
{
	Counts n = {.computes = e->allowance.making};

	for (const Unit *u = c->fleet.units; u; u = u->hh.next) {
		if (!is_of(u, e))
			continue;
		n.computes++;
		n.sessions += activity_sum(&u->activity, clock_ms()).sessions;
		n.bytes += u->bytes > 0 ? u->bytes : 0;
		n.rate += u->tab.watched ? u->tab.size : 0;
	}
	return n;
}

/* What is asked for is counted, too: one more of what is counted at all. */
static int64_t use_of(const Controller *c, const ProjectEntry *e, QuotaKind kind)
{
	switch (kind) {
	case QUOTA_COMPUTE:
		return compute_use(c, e) / COMPUTE_SECOND;
	case QUOTA_STORAGE:
		return count(c, e).bytes;
	case QUOTA_COMPUTES:
		return count(c, e).computes + 1;
	case QUOTA_CONNECTIONS:
		return count(c, e).sessions + 1;
	default:
		return 0;
	}
}

static int64_t had(const Controller *c, const ProjectEntry *e, QuotaKind kind)
{
	bool counted = kind == QUOTA_COMPUTES || kind == QUOTA_CONNECTIONS;

	return use_of(c, e, kind) - (counted ? 1 : 0);
}

/* ---- questions ---------------------------------------------------------- */

static AllowanceAnswer judge(const Controller *c, const ProjectEntry *e, QuotaKind kind,
			     QuotaWords *words)
{
	const QuotaPolicy *p = &e->settings.quota;

	if (p->limits[kind] == 0 || quota_judge(p, kind, use_of(c, e, kind)) != QUOTA_HARD)
		return ALLOWANCE_YES;
	*words = quota_words(p, kind, had(c, e, kind), &e->allowance.period);
	return ALLOWANCE_NO;
}

static AllowanceAnswer to_run(Controller *c, ProjectEntry *e, QuotaWords *words)
{
	AllowanceAnswer answer;

	if (!is_known(c, e))
		return ALLOWANCE_LATER;
	answer = judge(c, e, QUOTA_COMPUTE, words);
	return answer == ALLOWANCE_YES ? judge(c, e, QUOTA_STORAGE, words) : answer;
}

AllowanceAnswer allowance_to_run(Unit *u, QuotaWords *words)
{
	ProjectEntry *e = fleet_entry(&u->controller->fleet, u->compute.project_id);

	return e ? to_run(u->controller, e, words) : ALLOWANCE_YES;
}

AllowanceAnswer allowance_to_connect(Unit *u, QuotaWords *words)
{
	const ProjectEntry *e = fleet_entry(&u->controller->fleet, u->compute.project_id);

	return e ? judge(u->controller, e, QUOTA_CONNECTIONS, words) : ALLOWANCE_YES;
}

AllowanceAnswer allowance_to_make(Controller *c, const char *project_id, QuotaWords *words)
{
	ProjectEntry *e = fleet_entry(&c->fleet, project_id);
	AllowanceAnswer answer;

	if (!e)
		return ALLOWANCE_YES;
	answer = judge(c, e, QUOTA_COMPUTES, words);
	return answer == ALLOWANCE_YES ? judge(c, e, QUOTA_STORAGE, words) : answer;
}

/* ---- telling ------------------------------------------------------------ */

/* The same whoever sends it, so that a receiver drops doubles; a limit that is raised warns anew.
 */
static void write_letter(Controller *c, const ProjectEntry *e, QuotaKind kind, bool hard,
			 const QuotaWords *words)
{
	const QuotaPolicy *p = &e->settings.quota;
	const char *level = hard ? "hard" : "soft";
	char start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE], key[URL_SIZE];

	time_text(start, e->allowance.period.start);
	time_text(end, e->allowance.period.end);
	snprintf(key, sizeof(key), "%s|%s|%s|%s|%lld", e->project.id, quota_setting(kind), start,
		 level, (long long)p->limits[kind]);
	outbox_send(c, e->settings.webhook_url, key,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "key", key,
			      "type", "quota", "project_id", e->project.id, "quota",
			      quota_setting(kind), "level", level, "detail", words->detail, "used",
			      (json_int_t)had(c, e, kind), "limit", (json_int_t)p->limits[kind],
			      "period_start", start, "period_end", end));
}

/* What is active hears of it by being suspended, when all is used up. */
static void note(Controller *c, const ProjectEntry *e, bool ends, const char *reason)
{
	for (Unit *u = c->fleet.units; u; u = u->hh.next) {
		if (is_of(u, e) && unit_is_up(u) && !(ends && u->compute.state == COMPUTE_ACTIVE)) {
			reconcile_note(u, reason);
			return;
		}
	}
	log_info("%s: project=%s", reason, e->project.id);
}

/* Once for each period, and again after more was allowed. */
static void tell(Controller *c, ProjectEntry *e, QuotaKind kind, QuotaVerdict verdict)
{
	QuotaVerdict before = e->allowance.told[kind];
	char reason[REASON_SIZE];
	QuotaWords words;

	e->allowance.told[kind] = verdict;
	if (verdict <= before)
		return;
	words = quota_words(&e->settings.quota, kind, had(c, e, kind), &e->allowance.period);
	snprintf(reason, sizeof(reason), "%s: %s; %s",
		 verdict == QUOTA_HARD ? words.reason : "a quota is nearly used up", words.detail,
		 words.hint);
	note(c, e, verdict == QUOTA_HARD, reason);
	if (*e->settings.webhook_url)
		write_letter(c, e, kind, verdict == QUOTA_HARD, &words);
}

/* ---- enforcing ---------------------------------------------------------- */

static void suspend_all(Controller *c, const ProjectEntry *e, const QuotaWords *words)
{
	char reason[REASON_SIZE];
	Unit *u, *next;

	snprintf(reason, sizeof(reason), "%s: %s; %s", words->reason, words->detail, words->hint);
	HASH_ITER(hh, c->fleet.units, u, next)
	{
		if (is_of(u, e) && u->compute.state == COMPUTE_ACTIVE && u->observed &&
		    !u->unwanted)
			reconcile_suspend(u, true, reason);
	}
}

/* Says how soon there may be something to say. */
static int64_t look_at(Controller *c, ProjectEntry *e)
{
	static const QuotaKind kinds[] = {QUOTA_COMPUTE, QUOTA_STORAGE};
	const QuotaPolicy *p = &e->settings.quota;
	QuotaWords words;

	if (!is_limited(e) || !is_known(c, e))
		return INT64_MAX;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		tell(c, e, kinds[i], quota_judge(p, kinds[i], use_of(c, e, kinds[i])));
	if (to_run(c, e, &words) == ALLOWANCE_NO) {
		suspend_all(c, e, &words);
		return INT64_MAX;
	}
	return quota_news_ms(p, compute_use(c, e), count(c, e).rate);
}

/* Between two looks at most a heartbeat passes. */
static void look(void *arg)
{
	Controller *c = arg;
	int64_t soonest = HEARTBEAT_MS;
	ProjectEntry *e, *next;

	HASH_ITER(hh, c->fleet.projects, e, next)
	{
		int64_t ms = look_at(c, e);

		if (ms < soonest)
			soonest = ms;
	}
	timer_arm(&c->allowance, soonest > 0 ? soonest : 1);
}

void allowance_look_soon(Controller *c)
{
	timer_arm(&c->allowance, 0);
}

void allowance_init(Controller *c)
{
	timer_init(&c->allowance, c->loop, look, c);
}
