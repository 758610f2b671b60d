#include "account.h"

#include <stdio.h>

#include "base/text.h"
#include "model/repeat.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "throttling.h"
#include "worker.h"

const char *account_depth(WakeDepth depth)
{
	static const char *const names[] = {"none", "warm", "frozen", "cold"};

	return names[depth];
}

static void count_times(Session *s, int64_t now_us)
{
	Stats *stats = &s->worker->cell->stats;
	const Arrival *a = s->arrival;

	histogram_add(&stats->login_time, (uint64_t)(now_us - a->accepted_us));
	if (a->depth == DEPTH_NONE)
		return;
	histogram_add(&stats->wake_time, (uint64_t)(a->woken_us - a->wanted_us));
	s->wake_ms = (int)((a->woken_us - a->wanted_us) / 1000);
}

#define QUOTED (2 * NAME_SIZE + 3)

/* Of an entry * it is whatever the client has said. */
static const char *compute_name(char out[QUOTED], const Arrival *a)
{
	return text_is_label(a->compute) ? a->compute : text_quote(out, QUOTED, a->compute);
}

void account_open(Session *s)
{
	const Arrival *a = s->arrival;
	int64_t now = clock_us();
	char compute[QUOTED], user[QUOTED], database[QUOTED], application[QUOTED], client[QUOTED];
	SlotInfo info;

	count_times(s, now);
	s->opened = true;
	if (!s->conf->reveille.log_connections)
		return;
	session_slot_info(s, &info);
	log_info("session open id=%llu compute=%s user=%s database=%s application=%s client=%s "
		 "wake=%s routed_us=%lld woken_us=%lld ready_us=%lld logged_in_us=%lld",
		 (unsigned long long)s->id, compute_name(compute, a),
		 text_quote(user, QUOTED, info.user), text_quote(database, QUOTED, info.database),
		 text_quote(application, QUOTED, info.application_name),
		 text_quote(client, QUOTED, a->client), account_depth(a->depth),
		 (long long)(a->routed_us - a->accepted_us),
		 (long long)((a->woken_us ? a->woken_us : a->routed_us) - a->accepted_us),
		 (long long)(a->ready_us - a->accepted_us), (long long)(now - a->accepted_us));
}

/* What makes two refusals the same: the kind, who is refused, and from which compute. */
static int say_again(const Session *s, const char *kind, const char *compute)
{
	const Arrival *a = s->arrival;
	int64_t ms = conf_ms(s->conf->reveille.log_dedup_interval);
	char key[24 + CLIENT_KEY_MAX + ROUTE_NAME_SIZE];
	size_t n = strlen(kind), k = strlen(compute);

	if (ms == 0)
		return 0;
	memcpy(key, kind, n);
	n += client_key(&a->from, (uint8_t *)key + n);
	memcpy(key + n, compute, k);
	return repeat_say(s->worker->shared, key, n + k, clock_ms(), ms);
}

/* " name=\"text\"", or nothing. */
static const char *optional(char *out, size_t size, const char *name, const char *text)
{
	char quoted[600];

	*out = 0;
	if (*text)
		snprintf(out, size, " %s=%s", name, text_quote(quoted, sizeof(quoted), text));
	return out;
}

static void log_refusal(const Session *s, const Fault *why, int repeats)
{
	static const LogLevel levels[] = {
		[FAULT_LEVEL_INFO] = LOG_LEVEL_INFO,
		[FAULT_LEVEL_WARNING] = LOG_LEVEL_WARNING,
		[FAULT_LEVEL_ERROR] = LOG_LEVEL_ERROR,
	};
	const FaultInfo *info = fault_info(why->code);
	const Arrival *a = s->arrival;
	char compute[QUOTED], client[QUOTED], error[600], figures[600], hint[600], cause[600],
		user[600];

	log_at(levels[info->level],
	       "session refused id=%llu phase=%s sqlstate=%s compute=%s client=%s error=%s%s%s%s%s "
	       "repeats=%d",
	       (unsigned long long)s->id, s->phase->name, info->sqlstate,
	       text_quote(compute, QUOTED, a->compute), text_quote(client, QUOTED, a->client),
	       text_quote(error, sizeof(error), why->detail),
	       optional(figures, sizeof(figures), "figures", why->figures),
	       optional(hint, sizeof(hint), "hint", why->hint),
	       optional(cause, sizeof(cause), "cause", why->cause),
	       optional(user, sizeof(user), "user", a->user ? a->user : ""), repeats);
}

void account_refusal(Session *s, const Fault *why)
{
	int repeats;

	stat_add(&s->worker->cell->stats.errors[why->code], 1);
	if (s->opened)
		return; /* the line about its end says so */
	/* There is no end to the names of computes that there are not. */
	repeats = say_again(s, fault_info(why->code)->name,
			    why->code == FAULT_NO_ROUTE ? "" : s->arrival->compute);
	if (repeats != REPEAT_SILENT)
		log_refusal(s, why, repeats);
}

void account_refused_login(const Session *s)
{
	const Arrival *a = s->arrival;
	int repeats = say_again(s, "login", a->compute);
	char compute[QUOTED], user[QUOTED], client[QUOTED];
	SlotInfo info;

	if (repeats == REPEAT_SILENT)
		return;
	session_slot_info(s, &info);
	log_info("session refused id=%llu phase=login by=compute sqlstate=%s compute=%s user=%s "
		 "client=%s repeats=%d",
		 (unsigned long long)s->id, s->sqlstate, compute_name(compute, a),
		 text_quote(user, QUOTED, info.user), text_quote(client, QUOTED, a->client),
		 repeats);
}

void account_close(Session *s)
{
	if (!s->conf->reveille.log_disconnections || !s->opened)
		return;
	log_info("session close id=%llu reason=\"%s\" phase=%s sqlstate=%s wake_ms=%d seconds=%.3f "
		 "transactions=%llu requests=%llu rows=%llu bytes_in=%llu bytes_out=%llu",
		 (unsigned long long)s->id, s->reason, s->ended_in,
		 *s->sqlstate ? s->sqlstate : "00000", s->wake_ms,
		 (double)(wall_us() - s->since_us) / 1e6, (unsigned long long)s->watch.transactions,
		 (unsigned long long)s->watch.requests, (unsigned long long)s->watch.rows,
		 (unsigned long long)s->received_client, (unsigned long long)s->received_compute);
}
