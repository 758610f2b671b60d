/* Records as the API shows them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../autoscale.h"
#include "../idle.h"
#include "api.h"
#include "sys/clock.h"

#define SECOND INT64_C(1000000)

json_t *json_of_time(int64_t us)
{
	time_t seconds = (time_t)(us / SECOND);
	char text[40];
	struct tm tm;
	size_t n;

	if (us == 0)
		return json_null();
	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(us % SECOND / 1000));
	return json_string(text);
}

static int64_t fraction_of(const char *text, const char **end)
{
	int64_t us = 0, unit = SECOND / 10;

	for (; *text >= '0' && *text <= '9'; text++, unit /= 10)
		us += (*text - '0') * unit;
	*end = text;
	return us;
}

int64_t time_of_text(const char *text)
{
	struct tm tm = {0};
	char *number_end;
	long long seconds = strtoll(text, &number_end, 10);
	const char *end;
	int64_t us = 0;

	if (number_end != text && !*number_end)
		return seconds >= 0 && seconds < INT64_MAX / SECOND ? seconds * SECOND : -1;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		return -1;
	if (*end == '.')
		us = fraction_of(end + 1, &end);
	return strcmp(end, "Z") == 0 ? (int64_t)timegm(&tm) * SECOND + us : -1;
}

static json_t *json_of_config(const char *config)
{
	return json_loads(config, 0, NULL);
}

json_t *json_of_project(const Project *p)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "id", p->id, "name", p->name, "created_at",
			 json_of_time(p->created_at), "config", json_of_config(p->config));
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* Not all of a failure's words need be UTF-8: they come from a server's log. */
void json_set_failure(json_t *json, const char *failure)
{
	json_t *text = *failure ? json_string(failure) : NULL;

	if (text)
		json_object_set_new(json, "failure", text);
}

/* What holds its server to its size; null for one that this process does not know. */
static json_t *json_of_limits(const Unit *u)
{
	const DriverAbilities *can;
	const char *note;

	if (!u)
		return json_null();
	can = &u->controller->driver->can;
	note = autoscale_note(u);
	return json_pack("{s:b, s:b, s:o}", "cpu", can->limit_cpu, "memory", can->limit_memory,
			 "note", text_or_null(note ? note : ""));
}

/* One that stands still is not awake, whatever kept it so before. */
static bool is_kept(const Unit *u, char reason[SUSPEND_REASON_SIZE])
{
	return u->compute.state == COMPUTE_ACTIVE && idle_is_kept(u, reason);
}

/* What a server that is up does now; null for one that is not. */
static json_t *json_of_load(const Unit *u)
{
	char reason[SUSPEND_REASON_SIZE];
	ServerStat stat = {0};
	ActivitySum sum;

	if (!u || !unit_is_up(u))
		return json_null();
	u->controller->driver->ops->stat(u->instance, &stat);
	sum = activity_sum(&u->activity, clock_ms());
	return json_pack("{s:i, s:i, s:f, s:I, s:o}", "sessions", sum.sessions, "at_work",
			 sum.at_work, "cpu_seconds", (double)stat.cpu_us / SECOND, "memory_bytes",
			 (json_int_t)stat.memory, "kept_awake_by",
			 text_or_null(is_kept(u, reason) ? reason : ""));
}

json_t *json_of_compute(const Compute *c, const Fleet *fleet)
{
	Unit *u = fleet_compute(fleet, c->id);
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:f, s:o, s:o, s:o, s:o, s:o}",
				 "id", c->id, "project_id", c->project_id, "name", c->id, "engine",
				 c->engine, "state", compute_state_word(c->state), "generation",
				 (json_int_t)c->generation, "size", c->size / 1000.0, "address",
				 text_or_null(c->address), "created_at",
				 json_of_time(c->created_at), "last_activity",
				 json_of_time(u ? unit_last_activity(u) : c->last_activity),
				 "config", json_of_config(c->config), "limits", json_of_limits(u));

	json_object_set_new(json, "load", json_of_load(u));
	json_set_failure(json, c->failure);
	return json;
}

json_t *json_of_operation(const Operation *op)
{
	json_t *reason = json_string(op->reason);

	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "id", (json_int_t)op->id,
			 "compute_id", op->compute_id, "project_id", op->project_id, "from",
			 compute_state_word(op->from), "to", compute_state_word(op->to),
			 "generation", (json_int_t)op->generation, "reason",
			 reason ? reason : json_null(), "at", json_of_time(op->at));
}
