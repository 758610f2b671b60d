#include "suspend.h"

#include <stdarg.h>
#include <stdio.h>

/* Later than anything; so far ahead that nothing is due. */
#define FAR INT64_MAX

/* Whoever is to be awake this soon is not stopped before. */
#define NEARLY_MS 60000

/*
 * What was woken for somebody who is exempt stays for this long: he has to log in first.  To be
 * started for each of his questions would cost more than to stay a little longer.
 */
#define FAVOUR_MS      1000
#define LONG_FAVOUR_MS 10000

static bool say(SuspendDecision *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Returns true, so that a hindrance reads "return say(...)". */
static bool say(SuspendDecision *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->reason, sizeof(d->reason), fmt, ap);
	va_end(ap);
	return true;
}

static int64_t soonest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- what keeps it as it is -------------------------------------------- */

/* What is connected, or does something, as proxies tell. */
static bool clients_hinder(const SuspendFacts *f, const SuspendPolicy *p, SuspendDecision *d)
{
	if (f->at_work > 0)
		return say(d, "sessions are at work: %d", f->at_work);
	if (f->sessions > 0 && p->idle_clients_keep_awake)
		return say(d, "clients are connected, which keeps it awake: %d", f->sessions);
	if (f->listening > 0 && p->listeners_keep_awake)
		return say(d, "sessions listen, which keeps it awake: %d", f->listening);
	return false;
}

/* What the server says is under way. */
static bool work_hinders(const ServerFacts *s, const SuspendPolicy *p, SuspendDecision *d)
{
	if (s->working > 0)
		return say(d, "queries are running: %d", s->working);
	if (s->in_transaction > 0)
		return say(d, "transactions are open: %d", s->in_transaction);
	if (s->backups > 0)
		return say(d, "backups are running: %d", s->backups);
	if (s->replicating > 0 && p->replication_keeps_awake)
		return say(d, "it is being replicated: %d", s->replicating);
	if (s->maintaining > 0)
		return say(d, "maintenance is running: %d", s->maintaining);
	return false;
}

/*
 * What a stopped clock would break: peers that hear nothing give up, timers that are over
 * fire at the thaw, and a session must be told to a proxy that can wake it.
 */
static bool freezing_is_unsafe(const SuspendFacts *f, SuspendDecision *d)
{
	const ServerFacts *s = &f->server;

	if (f->sessions > 0 && !f->proxies_hear)
		return say(d, "it is not frozen, since a proxy with sessions would not hear of it");
	if (s->replicating > 0)
		return say(d, "it is not frozen, since it is being replicated: %d", s->replicating);
	if (s->idle_timers && latest(s->sessions, f->sessions) > 0)
		return say(d, "it is not frozen, since idle_session_timeout would end sessions");
	if (s->exempt_busy > 0)
		return say(d, "it is not frozen, since exempt sessions are at work: %d",
			   s->exempt_busy);
	if (s->sessions > f->sessions && !f->asked)
		return say(d, "it is not frozen, since clients are connected past the proxies: %d",
			   s->sessions - f->sessions);
	return false;
}

/* ---- when it is due ---------------------------------------------------- */

static int64_t idle_ms(const SuspendFacts *f)
{
	int64_t used_ms = f->frozen ? f->used_ms : latest(f->used_ms, f->since_ms);
	int64_t idle = latest(f->now_ms - used_ms, 0);

	if (f->server.known && f->server.idle_ms >= 0)
		return soonest(f->server.idle_ms, idle);
	return idle;
}

static bool is_frozen_first(const SuspendFacts *f, const SuspendPolicy *p)
{
	return f->can_freeze && p->freeze_after_ms > 0;
}

/* Nothing is done before. */
static int64_t favour_in(const SuspendFacts *f, const SuspendPolicy *p)
{
	int64_t lasts = is_frozen_first(f, p) ? FAVOUR_MS : LONG_FAVOUR_MS;

	return f->frozen || f->favour_ms == 0 ? -FAR : f->favour_ms + lasts - f->now_ms;
}

static int64_t freeze_in(const SuspendFacts *f, const SuspendPolicy *p)
{
	if (f->frozen || !is_frozen_first(f, p))
		return FAR;
	return latest(p->freeze_after_ms - idle_ms(f), favour_in(f, p));
}

/* As far as running hours and the next time to be awake allow it. */
static int64_t stop_in(const SuspendFacts *f, const SuspendPolicy *p, SuspendDecision *d)
{
	int64_t idle = idle_ms(f), in_ms;

	if (p->idle_timeout_ms == 0)
		return FAR;
	if (f->favour_start_ms > 0 && is_frozen_first(f, p))
		idle = soonest(idle, latest(f->now_ms - f->favour_start_ms, 0));
	in_ms = latest(p->idle_timeout_ms - idle, favour_in(f, p));
	if (f->warm) {
		if (in_ms <= 0)
			say(d, "it is within its running hours");
		return f->warm_change_ms == 0 ? FAR : latest(in_ms, f->warm_change_ms);
	}
	if (in_ms <= 0 && f->wake_in_ms >= 0 && f->wake_in_ms < NEARLY_MS) {
		say(d, "it is to be awake in %lld s", (long long)(f->wake_in_ms / 1000));
		return f->wake_in_ms + 1;
	}
	return in_ms;
}

/* ---- verdicts ---------------------------------------------------------- */

static void keep(SuspendDecision *d, int64_t again_ms)
{
	d->verdict = SUSPEND_KEEP;
	d->again_ms = again_ms == FAR ? 0 : latest(again_ms, 1);
}

static void suspend(SuspendDecision *d, SuspendVerdict verdict, const SuspendFacts *f)
{
	long long idle_s = (long long)(idle_ms(f) / 1000);

	d->verdict = f->frozen || f->server.known ? verdict : SUSPEND_ASK;
	if (f->server.prepared > 0)
		say(d, "nobody used it for %lld s; prepared transactions stay prepared: %d", idle_s,
		    f->server.prepared);
	else
		say(d, "nobody used it for %lld s", idle_s);
}

SuspendDecision suspend_decide(const SuspendFacts *f, const SuspendPolicy *p)
{
	SuspendDecision d = {.verdict = SUSPEND_KEEP};
	int64_t freeze, stop;

	if (favour_in(f, p) > 0)
		say(&d, "it was just woken for somebody who is exempt");
	else
		say(&d, "it was used %lld s ago", (long long)(idle_ms(f) / 1000));
	freeze = freeze_in(f, p);
	stop = stop_in(f, p, &d);
	if (freeze == FAR && p->idle_timeout_ms == 0) {
		say(&d, "it is never to be suspended");
		keep(&d, FAR);
	} else if (clients_hinder(f, p, &d)) {
		keep(&d, p->check_ms);
	} else if (freeze > 0 && stop > 0) {
		keep(&d, soonest(freeze, stop));
	} else if (f->server.known && work_hinders(&f->server, p, &d)) {
		keep(&d, p->check_ms);
	} else if (stop <= 0) {
		suspend(&d, SUSPEND_STOP, f);
	} else if (freezing_is_unsafe(f, &d)) {
		keep(&d, soonest(stop, p->check_ms));
	} else {
		suspend(&d, SUSPEND_FREEZE, f);
	}
	return d;
}
