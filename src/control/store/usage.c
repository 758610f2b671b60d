/*
 * Operations and metered intervals in the store.
 *
 * An interval begins at the wall's time and from then on is measured with the
 * clock that never jumps: its end is its begin plus what was measured.  It
 * never begins before the compute's last one ended, so steps of the wall's
 * clock neither lengthen an interval nor make two overlap.
 */
#include "../lifecycle.h"
#include "deed.h"
#include "shared.h"
#include "sys/clock.h"
#include "sys/machine.h"

/* ---- operations -------------------------------------------------------- */

static void take_operation(void *record, const Row *row)
{
	Operation *op = record;

	op->id = row_int(row, 0);
	row_text(row, 1, op->project_id, sizeof(op->project_id));
	row_text(row, 2, op->compute_id, sizeof(op->compute_id));
	op->from = row_state(row, 3);
	op->to = row_state(row, 4);
	op->generation = row_int(row, 5);
	row_text(row, 6, op->reason, sizeof(op->reason));
	op->at = row_int(row, 7);
}

void store_operation_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT id, project_id, compute_id, from_state, to_state, generation, reason, at"
		 " FROM operations WHERE ($1 = '' OR project_id = $1) AND ($2 = '' OR compute_id = "
		 "$2)"
		 " AND ($3 = 0 OR id < $3) ORDER BY id DESC LIMIT $4",
		 "ttii", page->project_id, page->compute_id, page->before, page_limit(page));
	deed_take(d, sizeof(Operation), take_operation);
	deed_do(d);
}

/* ---- intervals --------------------------------------------------------- */

static const char *kind_word(IntervalKind kind)
{
	return kind == INTERVAL_FROZEN ? "frozen" : "active";
}

/* SQL for where an open interval ends now; its arguments are unseen, boot id and boot time. */
#define END_OF_INTERVAL                                    \
	"CASE WHEN $1 = 1 OR boot_id <> $2 THEN last_seen" \
	" ELSE greatest(last_seen, started_at + $3 - started_boot) END"

void say_cpu(Deed *d, const char *compute_id, int64_t start, int64_t us)
{
	deed_say(d,
		 "UPDATE compute_usage SET cpu_start = $1, cpu_us = greatest(cpu_us, $2)"
		 " WHERE compute_id = $3 AND ended_at IS NULL",
		 "iit", start, us, compute_id);
}

void say_interval_ends(Deed *d, const char *compute_id, bool unseen, const char *reason)
{
	deed_say(d,
		 "UPDATE compute_usage SET end_reason = $5, ended_at = " END_OF_INTERVAL
		 " WHERE compute_id = $4 AND ended_at IS NULL",
		 "ititt", (int64_t)unseen, d->store->boot_id, machine_boot_us(), compute_id,
		 reason);
}

void say_intervals_of_project_end(Deed *d, const char *project_id)
{
	deed_say(d,
		 "UPDATE compute_usage SET end_reason = 'its project was deleted',"
		 " ended_at = " END_OF_INTERVAL " WHERE project_id = $4 AND ended_at IS NULL",
		 "itit", INT64_C(0), d->store->boot_id, machine_boot_us(), project_id);
}

void say_interval_begins(Deed *d, const char *compute_id, IntervalKind kind, bool follows)
{
	deed_say(d,
		 "INSERT INTO compute_usage (project_id, compute_id, incarnation, size, kind, "
		 "boot_id,"
		 " started_boot, started_at, last_seen)"
		 " SELECT project_id, id, incarnation, size, $2, $3, $4, at, at FROM computes,"
		 " (SELECT greatest($5, coalesce(max(ended_at), 0)) AS at FROM compute_usage"
		 " WHERE compute_id = $1) AS begins WHERE id = $1",
		 "tttii", compute_id, kind_word(kind), d->store->boot_id, machine_boot_us(),
		 follows ? INT64_C(0) : wall_us());
}

void store_heartbeat(Store *s, const Heartbeat *beats, int n, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);
	int64_t boot_us = machine_boot_us();

	for (int i = 0; i < n; i++) {
		deed_say(d,
			 "UPDATE compute_usage SET"
			 " last_seen = greatest(last_seen, started_at + $1 - started_boot)"
			 " WHERE compute_id = $2 AND ended_at IS NULL AND boot_id = $3",
			 "itt", boot_us, beats[i].compute_id, s->boot_id);
		if (beats[i].cpu_us > 0)
			say_cpu(d, beats[i].compute_id, beats[i].cpu_start, beats[i].cpu_us);
		deed_say(d,
			 "UPDATE computes SET last_activity = $1"
			 " WHERE id = $2 AND last_activity <> $1",
			 "it", beats[i].last_activity, beats[i].compute_id);
	}
	deed_do(d);
}

static void take_interval(void *record, const Row *row)
{
	Interval *i = record;
	char kind[WORD_SIZE];

	i->id = row_int(row, 0);
	row_text(row, 1, i->project_id, sizeof(i->project_id));
	row_text(row, 2, i->compute_id, sizeof(i->compute_id));
	row_text(row, 3, i->incarnation, sizeof(i->incarnation));
	row_text(row, 4, kind, sizeof(kind));
	i->kind = kind[0] == 'f' ? INTERVAL_FROZEN : INTERVAL_ACTIVE;
	i->size = (int)row_int(row, 5);
	i->started_at = row_int(row, 6);
	i->last_seen = row_int(row, 7);
	i->ended_at = row_int(row, 8);
	i->started_boot = row_int(row, 9);
	i->cpu_start = row_int(row, 10);
	i->cpu_us = row_int(row, 11);
}

/* $1 is this boot's id. */
#define INTERVAL_COLUMNS                                                             \
	"SELECT id, project_id, compute_id, incarnation, kind, size, started_at,"    \
	" last_seen, ended_at, CASE WHEN boot_id = $1 THEN started_boot ELSE 0 END," \
	" cpu_start, cpu_us FROM compute_usage"

void store_interval_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 INTERVAL_COLUMNS
		 " WHERE ($2 = '' OR project_id = $2) AND started_at < $4"
		 " AND (ended_at IS NULL OR ended_at > $3) ORDER BY started_at, id",
		 "ttii", s->boot_id, page->project_id, page->from, page->to);
	deed_take(d, sizeof(Interval), take_interval);
	deed_do(d);
}

void store_interval_open(Store *s, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d, INTERVAL_COLUMNS " WHERE ended_at IS NULL", "t", s->boot_id);
	deed_take(d, sizeof(Interval), take_interval);
	deed_do(d);
}

/* ---- storage ----------------------------------------------------------- */

void store_sample_add(Store *s, const StorageSample *sample, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d,
		 "INSERT INTO storage_usage (project_id, compute_id, at, bytes)"
		 " VALUES ($1, $2, $3, $4)",
		 "ttii", sample->project_id, sample->compute_id, sample->at, sample->bytes);
	deed_do(d);
}

static void take_sample(void *record, const Row *row)
{
	StorageSample *sample = record;

	row_text(row, 0, sample->project_id, sizeof(sample->project_id));
	row_text(row, 1, sample->compute_id, sizeof(sample->compute_id));
	sample->at = row_int(row, 2);
	sample->bytes = row_int(row, 3);
}

void store_sample_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT project_id, compute_id, at, bytes FROM storage_usage"
		 " WHERE ($1 = '' OR project_id = $1) AND at < $3 AND (at >= $2"
		 " OR (compute_id, at) IN (SELECT compute_id, max(at) FROM storage_usage"
		 " WHERE at < $2 GROUP BY compute_id))"
		 " ORDER BY compute_id, at, id",
		 "tii", page->project_id, page->from, page->to);
	deed_take(d, sizeof(StorageSample), take_sample);
	deed_do(d);
}

/* ---- traffic ----------------------------------------------------------- */

/* The hour gets what is new first, while the last totals are still known. */
static void say_traffic(Deed *d, const Traffic *t)
{
	deed_say(d,
		 "INSERT INTO traffic_hours (project_id, compute_id, hour, received, sent)"
		 " SELECT $1, $2, $3, greatest($5 - coalesce(max(received), 0), 0),"
		 " greatest($6 - coalesce(max(sent), 0), 0) FROM traffic_seen"
		 " WHERE compute_id = $2 AND epoch = $4"
		 " ON CONFLICT (compute_id, hour) DO UPDATE"
		 " SET received = traffic_hours.received + excluded.received,"
		 " sent = traffic_hours.sent + excluded.sent",
		 "ttitii", t->project_id, t->compute_id, t->hour, t->epoch, t->received, t->sent);
	deed_say(d,
		 "INSERT INTO traffic_seen (compute_id, epoch, received, sent, seen_at)"
		 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (compute_id, epoch) DO UPDATE"
		 " SET received = greatest(traffic_seen.received, excluded.received),"
		 " sent = greatest(traffic_seen.sent, excluded.sent), seen_at = excluded.seen_at",
		 "ttiii", t->compute_id, t->epoch, t->received, t->sent, t->hour);
}

void store_traffic_add(Store *s, const Traffic *totals, int n, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	for (int i = 0; i < n; i++)
		say_traffic(d, &totals[i]);
	deed_do(d);
}

static void take_traffic(void *record, const Row *row)
{
	Traffic *t = record;

	row_text(row, 0, t->project_id, sizeof(t->project_id));
	row_text(row, 1, t->compute_id, sizeof(t->compute_id));
	t->hour = row_int(row, 2);
	t->received = row_int(row, 3);
	t->sent = row_int(row, 4);
}

void store_traffic_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT project_id, compute_id, hour, received, sent FROM traffic_hours"
		 " WHERE ($1 = '' OR project_id = $1) AND hour >= $2 AND hour < $3"
		 " ORDER BY hour, compute_id",
		 "tii", page->project_id, page->from, page->to);
	deed_take(d, sizeof(Traffic), take_traffic);
	deed_do(d);
}

/* ---- forgetting -------------------------------------------------------- */

void store_operation_forget(Store *s, int64_t before, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d,
		 "DELETE FROM operations WHERE at < $1 AND id < (SELECT max(id)"
		 " FROM operations AS later WHERE later.compute_id = operations.compute_id)",
		 "i", before);
	deed_do(d);
}

/* The last sample before that time says what was stored from then on, unless it was nothing. */
void store_usage_forget(Store *s, int64_t before, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d, "DELETE FROM traffic_seen WHERE seen_at < $1", "i", before);
	deed_say(d,
		 "DELETE FROM storage_usage WHERE at < $1 AND (bytes = 0 OR at < (SELECT max(at)"
		 " FROM storage_usage AS later WHERE later.compute_id = storage_usage.compute_id"
		 " AND later.at < $1))",
		 "i", before);
	deed_do(d);
}

/* ---- who kept it awake ------------------------------------------------- */

void store_cause_add(Store *s, const AwakeCause *causes, int n, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	for (const AwakeCause *c = causes; c < causes + n; c++)
		deed_say(d,
			 "INSERT INTO awake_causes (project_id, compute_id, hour, kind, role,"
			 " application, network, active_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
			 " ON CONFLICT (compute_id, hour, kind, role, application, network) DO "
			 "UPDATE"
			 " SET active_us = awake_causes.active_us + excluded.active_us",
			 "ttitttti", c->project_id, c->compute_id, c->hour, c->kind, c->role,
			 c->application, c->network, c->active_us);
	deed_do(d);
}

static void take_cause(void *record, const Row *row)
{
	AwakeCause *c = record;

	row_text(row, 0, c->project_id, sizeof(c->project_id));
	row_text(row, 1, c->compute_id, sizeof(c->compute_id));
	c->hour = row_int(row, 2);
	row_text(row, 3, c->kind, sizeof(c->kind));
	row_text(row, 4, c->role, sizeof(c->role));
	row_text(row, 5, c->application, sizeof(c->application));
	row_text(row, 6, c->network, sizeof(c->network));
	c->active_us = row_int(row, 7);
}

/* Summed over the period. */
void store_cause_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT project_id, compute_id, min(hour), kind, role, application, network,"
		 " sum(active_us) FROM awake_causes WHERE ($1 = '' OR project_id = $1)"
		 " AND ($2 = '' OR compute_id = $2) AND hour >= $3 AND hour < $4"
		 " GROUP BY project_id, compute_id, kind, role, application, network"
		 " ORDER BY sum(active_us) DESC, compute_id, kind, role, application, network"
		 " LIMIT $5",
		 "ttiii", page->project_id, page->compute_id, page->from, page->to,
		 page_limit(page));
	deed_take(d, sizeof(AwakeCause), take_cause);
	deed_do(d);
}

/* ---- hours that were published ----------------------------------------- */

static void say_hour(Deed *d, const UsageHour *h)
{
	deed_say(d,
		 "INSERT INTO usage_hours (project_id, compute_id, hour, active_us, frozen_us,"
		 " compute_us, cpu_us, storage_byte_seconds, proxied_bytes, revision)"
		 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
		 " ON CONFLICT (compute_id, hour) DO UPDATE SET active_us = excluded.active_us,"
		 " frozen_us = excluded.frozen_us, compute_us = excluded.compute_us,"
		 " cpu_us = excluded.cpu_us,"
		 " storage_byte_seconds = excluded.storage_byte_seconds,"
		 " proxied_bytes = excluded.proxied_bytes, revision = excluded.revision",
		 "ttiiiiiiii", h->project_id, h->compute_id, h->hour, h->active_us, h->frozen_us,
		 h->compute_us, h->cpu_us, h->storage_byte_seconds, h->proxied_bytes, h->revision);
}

static void say_letter(Deed *d, const Letter *l)
{
	deed_say(d,
		 "INSERT INTO outbox (key, url, body, created_at, next_at)"
		 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		 "tttii", l->key, l->url, l->body, l->created_at, l->next_at);
}

void store_hour_publish(Store *s, const UsageHour *hours, int n_hours, const Letter *letters,
			int n_letters, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	for (int i = 0; i < n_hours; i++)
		say_hour(d, &hours[i]);
	for (int i = 0; i < n_letters; i++)
		say_letter(d, &letters[i]);
	deed_do(d);
}

static void take_hour(void *record, const Row *row)
{
	UsageHour *h = record;

	row_text(row, 0, h->project_id, sizeof(h->project_id));
	row_text(row, 1, h->compute_id, sizeof(h->compute_id));
	h->hour = row_int(row, 2);
	h->active_us = row_int(row, 3);
	h->frozen_us = row_int(row, 4);
	h->compute_us = row_int(row, 5);
	h->cpu_us = row_int(row, 6);
	h->storage_byte_seconds = row_int(row, 7);
	h->proxied_bytes = row_int(row, 8);
	h->revision = row_int(row, 9);
}

void store_hour_list(Store *s, const Page *page, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT project_id, compute_id, hour, active_us, frozen_us, compute_us,"
		 " cpu_us, storage_byte_seconds, proxied_bytes, revision FROM usage_hours"
		 " WHERE ($1 = '' OR project_id = $1) AND hour >= $2 AND hour < $3"
		 " ORDER BY hour, compute_id",
		 "tii", page->project_id, page->from, page->to);
	deed_take(d, sizeof(UsageHour), take_hour);
	deed_do(d);
}

static void take_last_hour(void *record, const Row *row)
{
	((UsageHour *)record)->hour = row_int(row, 0);
}

void store_hour_last(Store *s, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT at - at % 3600000000 - 3600000000 FROM (SELECT coalesce("
		 "(SELECT max(hour) + 3600000000 FROM usage_hours),"
		 " (SELECT min(started_at) FROM compute_usage),"
		 " (SELECT min(at) FROM storage_usage)) AS at) AS last WHERE at IS NOT NULL",
		 "");
	deed_take(d, sizeof(UsageHour), take_last_hour);
	deed_do(d);
}

/* ---- letters ----------------------------------------------------------- */

void store_letter_add(Store *s, const Letter *letter, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	say_letter(d, letter);
	deed_do(d);
}

static void take_letter(void *record, const Row *row)
{
	Letter *l = record;

	l->id = row_int(row, 0);
	row_text(row, 1, l->key, sizeof(l->key));
	row_text(row, 2, l->url, sizeof(l->url));
	row_text(row, 3, l->body, sizeof(l->body));
	l->created_at = row_int(row, 4);
	l->attempts = row_int(row, 5);
	l->next_at = row_int(row, 6);
}

void store_letter_list(Store *s, int64_t now, int limit, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d,
		 "SELECT id, key, url, body, created_at, attempts, next_at FROM outbox"
		 " WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
		 " (PARTITION BY url ORDER BY next_at, id) AS place FROM outbox"
		 " WHERE next_at <= $1) AS lines WHERE place = 1)"
		 " ORDER BY next_at, id LIMIT $2",
		 "ii", now, (int64_t)limit);
	deed_take(d, sizeof(Letter), take_letter);
	deed_do(d);
}

void store_letter_arrived(Store *s, int64_t id, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d, "DELETE FROM outbox WHERE id = $1", "i", id);
	deed_do(d);
}

void store_letter_failed(Store *s, int64_t id, int64_t next_at, bool nobody_there, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d, "UPDATE outbox SET attempts = attempts + 1, next_at = $2 WHERE id = $1", "ii",
		 id, next_at);
	if (nobody_there)
		deed_say(d,
			 "UPDATE outbox SET next_at = $2 WHERE next_at < $2"
			 " AND url = (SELECT url FROM outbox WHERE id = $1)",
			 "ii", id, next_at);
	deed_do(d);
}
