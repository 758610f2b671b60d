#include "account.h"

#include "base/text.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "worker.h"

static const char *depth_name(WakeDepth depth)
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
	histogram_add(&stats->wake_time, (uint64_t)(a->woken_us - a->routed_us));
	s->wake_ms = (int)((a->woken_us - a->routed_us) / 1000);
}

#define QUOTED (2 * NAME_SIZE + 3)

void account_open(Session *s)
{
	const Arrival *a = s->arrival;
	int64_t now = clock_us();
	char user[QUOTED], database[QUOTED], application[QUOTED], client[QUOTED];
	SlotInfo info;

	count_times(s, now);
	s->opened = true;
	if (!s->conf->reveille.log_connections)
		return;
	session_slot_info(s, &info);
	log_info("session open id=%llu compute=%s user=%s database=%s application=%s client=%s "
		 "wake=%s routed_us=%lld woken_us=%lld ready_us=%lld logged_in_us=%lld",
		 (unsigned long long)s->id, a->compute, text_quote(user, QUOTED, info.user),
		 text_quote(database, QUOTED, info.database),
		 text_quote(application, QUOTED, info.application_name),
		 text_quote(client, QUOTED, a->client), depth_name(a->depth),
		 (long long)(a->routed_us - a->accepted_us),
		 (long long)((a->woken_us ? a->woken_us : a->routed_us) - a->accepted_us),
		 (long long)(a->ready_us - a->accepted_us), (long long)(now - a->accepted_us));
}

void account_refusal(Session *s, const Fault *why)
{
	static const LogLevel levels[] = {
		[FAULT_LEVEL_INFO] = LOG_LEVEL_INFO,
		[FAULT_LEVEL_WARNING] = LOG_LEVEL_WARNING,
		[FAULT_LEVEL_ERROR] = LOG_LEVEL_ERROR,
	};
	const FaultInfo *info = fault_info(why->code);
	const Arrival *a = s->arrival;
	char compute[QUOTED], client[QUOTED], error[2 * sizeof(why->detail)];

	stat_add(&s->worker->cell->stats.errors[why->code], 1);
	if (s->opened)
		return; /* the line about its end says so */
	log_at(levels[info->level],
	       "session refused id=%llu phase=%s sqlstate=%s compute=%s client=%s error=%s",
	       (unsigned long long)s->id, s->phase->name, info->sqlstate,
	       text_quote(compute, QUOTED, a->compute), text_quote(client, QUOTED, a->client),
	       text_quote(error, sizeof(error), why->detail));
}

void account_refused_login(const Session *s)
{
	const Arrival *a = s->arrival;
	char user[QUOTED], client[QUOTED];
	SlotInfo info;

	session_slot_info(s, &info);
	log_info("session refused id=%llu phase=login by=compute sqlstate=%s compute=%s user=%s "
		 "client=%s",
		 (unsigned long long)s->id, s->sqlstate, a->compute,
		 text_quote(user, QUOTED, info.user), text_quote(client, QUOTED, a->client));
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
