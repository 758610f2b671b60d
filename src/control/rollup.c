#include "rollup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "controller.h"
#include "gather.h"
#include "heartbeat.h"
#include "sys/clock.h"
#include "sys/log.h"

#define MINUTE    INT64_C(60000000)
#define LOOK_MS   60000 /* the clock on the wall may be set */
#define RETRY_MS  10000
#define LATE      (2 * METER_HOUR)        /* so long something may be learnt of an hour */
#define VERY_LATE (24 * METER_HOUR)       /* after nobody watched for a while */
#define MOST_NEWS 100                     /* computes in one letter */
#define KEPT      (400 * 24 * METER_HOUR) /* what hours are made of */

struct Rollup {
	Controller *c;
	Timer timer;
	int64_t next; /* the first hour that is not over yet */
	int64_t hour; /* that is being published */
};

/* An hour may be published when it has been over for a minute. */
static bool is_over(int64_t hour)
{
	return hour + METER_HOUR + MINUTE <= wall_us();
}

/* ---- letters ----------------------------------------------------------- */

static json_t *json_of_hour(const UsageHour *h)
{
	return json_pack("{s:s, s:f, s:f, s:f, s:f, s:I, s:I}", "compute_id", h->compute_id,
			 "active_seconds", (double)h->active_us / 1e6, "frozen_seconds",
			 (double)h->frozen_us / 1e6, "compute_seconds", (double)h->compute_us / 1e9,
			 "cpu_seconds", (double)h->cpu_us / 1e6, "storage_byte_seconds",
			 (json_int_t)h->storage_byte_seconds, "proxied_bytes",
			 (json_int_t)h->proxied_bytes);
}

/* What is corrected says what it was. */
static json_t *json_of_news(const UsageNews *news, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++) {
		json_t *json = json_of_hour(&news[i].now);

		if (news[i].before.revision > 0)
			json_object_set_new(json, "previous", json_of_hour(&news[i].before));
		json_array_append_new(list, json);
	}
	return list;
}

/* part counts the letters of one project and hour; most need only the first. */
static void write_letter(Letter *l, const char *url, const UsageNews *news, int n, int part)
{
	const UsageHour *first = &news[0].now;
	char key[EXPORT_KEY_SIZE + 16], hour[TIME_TEXT_SIZE];

	meter_export_key(key, first->project_id, "usage", first->hour, first->revision);
	if (part > 0)
		snprintf(key + strlen(key), 16, "|%d", part);
	time_text(hour, first->hour);
	letter_write(l, url, key,
		     json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "key", key, "type", "usage",
			       "project_id", first->project_id, "hour", hour, "revision",
			       (json_int_t)first->revision, "computes", json_of_news(news, n)));
}

static int letters_of_project(Rollup *r, const UsageNews *news, int n, Letter *letters)
{
	const char *url = fleet_webhook(&r->c->fleet, news[0].now.project_id);
	int written = 0;

	for (int i = 0; *url && i < n; i += MOST_NEWS, written++)
		write_letter(&letters[written], url, news + i,
			     n - i < MOST_NEWS ? n - i : MOST_NEWS, written);
	return written;
}

static int same_project(const UsageNews *news, int n)
{
	int same = 1;

	while (same < n && strcmp(news[same].now.project_id, news[0].now.project_id) == 0)
		same++;
	return same;
}

/* ---- one hour ---------------------------------------------------------- */

static void publish_next(Rollup *r);

static void try_later(Rollup *r, const Fault *why)
{
	log_error("could not publish what was used in an hour, trying again: error=\"%s\"",
		  why->detail);
	timer_arm(&r->timer, RETRY_MS);
}

static void go_on(Rollup *r)
{
	r->hour += METER_HOUR;
	publish_next(r);
}

static void on_published(void *arg, const StoreRows *rows, const Fault *why)
{
	Rollup *r = arg;

	(void)rows;
	if (why) {
		try_later(r, why);
		return;
	}
	outbox_look(r->c->outbox);
	go_on(r);
}

static void publish(Rollup *r, const UsageNews *news, int n)
{
	UsageHour *hours = mem_new((size_t)n + 1, sizeof(UsageHour));
	Letter *letters = mem_new((size_t)n + 1, sizeof(Letter));
	int n_letters = 0;

	for (int i = 0; i < n; i++)
		hours[i] = news[i].now;
	for (int i = 0, same; i < n; i += same) {
		same = same_project(news + i, n - i);
		n_letters += letters_of_project(r, news + i, same, letters + n_letters);
	}
	store_hour_publish(r->c->store, hours, n, letters, n_letters, (StoreCall){on_published, r});
	free(hours);
	free(letters);
}

static void on_gathered(void *arg, UsageFacts *facts, const Fault *why)
{
	Rollup *r = arg;
	UsageNews *news;
	int n;

	if (why) {
		try_later(r, why);
		return;
	}
	n = usage_news(facts, r->hour, &news);
	usage_facts_free(facts);
	if (n > 0)
		publish(r, news, n);
	else
		go_on(r);
	free(news);
}

/* ---- one after the other ----------------------------------------------- */

static void on_forgotten(void *arg, const StoreRows *rows, const Fault *why)
{
	(void)arg, (void)rows;
	if (why)
		log_warning("could not forget what is long past: error=\"%s\"", why->detail);
}

static void forget(const Rollup *r)
{
	int64_t now = wall_us(), kept = conf_ms(r->c->conf->control.operation_retention) * 1000;

	fleet_sweep_departed(&r->c->fleet, clock_ms() - (LATE + METER_HOUR) / 1000);
	store_usage_forget(r->c->store, now - KEPT, (StoreCall){on_forgotten, NULL});
	store_operation_forget(r->c->store, now - kept, (StoreCall){on_forgotten, NULL});
}

static void publish_next(Rollup *r)
{
	if (is_over(r->hour)) {
		gather(r->c->store, "", r->hour, r->hour + METER_HOUR, on_gathered, r);
		return;
	}
	r->next = r->hour;
	forget(r);
	timer_arm(&r->timer, LOOK_MS);
}

/* What was published lately is looked at again, with the hour that has just ended. */
static void on_time(void *arg)
{
	Rollup *r = arg;

	if (r->hour < r->next) {
		publish_next(r); /* it failed */
	} else if (is_over(r->next)) {
		r->hour = r->next - LATE;
		publish_next(r);
	} else {
		timer_arm(&r->timer, LOOK_MS);
	}
}

static void on_last(void *arg, const StoreRows *rows, const Fault *why)
{
	Rollup *r = arg;
	int64_t now = wall_us(), last = rows->n > 0 ? rows->hours[0].hour : 0;

	if (why) {
		try_later(r, why);
		return;
	}
	r->next = now - now % METER_HOUR;
	if (last == 0)
		last = r->next;
	r->hour = last - VERY_LATE;
	publish_next(r);
}

/* By then each server that was running has been found, and its interval goes on. */
static void on_begin(void *arg)
{
	Rollup *r = arg;

	timer_init(&r->timer, r->c->loop, on_time, r);
	store_hour_last(r->c->store, (StoreCall){on_last, r});
}

Rollup *rollup_new(Controller *c)
{
	Rollup *r = NEW(Rollup);

	r->c = c;
	timer_init(&r->timer, c->loop, on_begin, r);
	timer_arm(&r->timer, HEARTBEAT_MS + HEARTBEAT_MS / 2);
	return r;
}
