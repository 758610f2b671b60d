#include "autoscale.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "controller.h"
#include "reconcile.h"
#include "sys/clock.h"

#define LEAST_SAMPLE_MS INT64_C(1000)
#define MOST_SAMPLE_MS  INT64_C(5000)

/* So many samples lie in the short window. */
#define SAMPLES_OF_WINDOW 5

static const char no_limits[] =
	"CPU cannot be limited on this machine, so a larger size would only cost more: it stays";

/* ---- what it may have --------------------------------------------------- */

static ProjectSettings settings_of(const Unit *u)
{
	return fleet_settings(&u->controller->fleet, u->compute.project_id);
}

static SizeBounds bounds_of(const Unit *u)
{
	ProjectSettings project = settings_of(u);
	ComputeSettings own = settings_of_compute(u->compute.config);

	return sizing_bounds(&project, &own);
}

static bool may_change(const ProjectSettings *p, const SizeBounds *b)
{
	return p->scale.on && b->least < b->most;
}

/* What all other active computes have. */
static int others_of(const Unit *u)
{
	int sum = 0;

	for (const Unit *v = u->controller->fleet.units; v; v = v->hh.next) {
		if (v != u && v->compute.state == COMPUTE_ACTIVE)
			sum += v->compute.size;
	}
	return sum;
}

/* Memory that is not limited, or by its own config, says nothing about its size. */
static ScaleLimits limits_of(const Unit *u, const ProjectSettings *p, const SizeBounds *b)
{
	const Controller *c = u->controller;
	bool by_size =
		c->driver->can.limit_memory && settings_of_compute(u->compute.config).memory == 0;

	return (ScaleLimits){
		.size = u->compute.size,
		.least = b->least,
		.most = b->most,
		.memory_per_unit = by_size ? c->conf->process.memory_per_unit : 0,
		.connections = p->max_connections,
		.capacity = c->conf->control.capacity * 1000,
		.others = others_of(u),
	};
}

/* ---- what it uses -------------------------------------------------------- */

static ScaleSample sample_of(const Unit *u, const ServerStat *stat, int64_t now_ms)
{
	return (ScaleSample){
		.at_ms = now_ms,
		.cpu_us = stat->cpu_us,
		.memory = stat->memory,
		.connections = activity_sum(&u->activity, now_ms).sessions,
		.cpu_waiting = (int)stat->cpu_pressure,
		.memory_waiting = (int)stat->memory_pressure,
	};
}

static int64_t sample_ms(const Unit *u, const ProjectSettings *p)
{
	int64_t ms = p->scale.up_window_ms / SAMPLES_OF_WINDOW;
	int64_t most = conf_ms(u->controller->conf->control.scale_check_interval);

	if (most > MOST_SAMPLE_MS)
		most = MOST_SAMPLE_MS;
	if (ms > most)
		ms = most;
	return ms < LEAST_SAMPLE_MS ? LEAST_SAMPLE_MS : ms;
}

/* ---- deciding ------------------------------------------------------------ */

/* Once is enough: it would be the same every minute. */
static void excuse(Unit *u, const ScaleDecision *d)
{
	char reason[REASON_SIZE];

	if (u->sizing.excused)
		return;
	u->sizing.excused = true;
	snprintf(reason, sizeof(reason), "%g would be right for it (%s), but %s", d->size / 1000.0,
		 d->reason, no_limits);
	reconcile_note(u, reason);
}

static void decide(Unit *u, const ProjectSettings *p, const ScaleLimits *l, int64_t now_ms)
{
	Sizing *s = &u->sizing;
	ScaleDecision d;

	if (now_ms - s->decided_ms < conf_ms(u->controller->conf->control.scale_check_interval) ||
	    sizing_is_due(s, &u->compute))
		return;
	s->decided_ms = now_ms;
	d = scale_decide(&s->history, l, &p->scale, now_ms);
	if (d.size == l->size)
		return;
	if (u->controller->driver->can.limit_cpu)
		reconcile_resize(u, d.size, d.reason);
	else
		excuse(u, &d);
}

static void on_time(void *arg)
{
	Unit *u = arg;
	ProjectSettings p = settings_of(u);
	SizeBounds b = bounds_of(u);
	ScaleLimits l = limits_of(u, &p, &b);
	int64_t now_ms = clock_ms();
	ServerStat stat;
	ScaleSample sample;

	if (!unit_is_serving(u) || !may_change(&p, &b))
		return;
	timer_arm(&u->sizing.sample, sample_ms(u, &p));
	if (!u->controller->driver->ops->stat(u->instance, &stat))
		return;
	sample = sample_of(u, &stat, now_ms);
	scale_note(&u->sizing.history, &sample, &l, &p.scale);
	decide(u, &p, &l, now_ms);
}

/* ---- when to look -------------------------------------------------------- */

static void fit(Unit *u, const SizeBounds *b)
{
	bool due = sizing_is_due(&u->sizing, &u->compute);
	int target = due ? u->sizing.wish : u->compute.size;
	char reason[REASON_SIZE];
	int size = sizing_fit(target, b, reason);

	if (size != target)
		sizing_wish(&u->sizing, size, reason);
}

/* What was seen before it slept says nothing; when it was last changed still counts. */
static void begin(Unit *u)
{
	u->sizing.history = (ScaleHistory){.changed_ms = u->sizing.history.changed_ms};
	u->sizing.decided_ms = clock_ms();
	timer_arm(&u->sizing.sample, LEAST_SAMPLE_MS);
}

void autoscale_look(Unit *u)
{
	ProjectSettings p = settings_of(u);
	SizeBounds b = bounds_of(u);

	fit(u, &b);
	if (!unit_is_serving(u) || !may_change(&p, &b))
		timer_stop(&u->sizing.sample);
	else if (!timer_is_armed(&u->sizing.sample))
		begin(u);
}

void autoscale_look_at_all(Controller *c)
{
	for (Unit *u = c->fleet.units; u; u = u->hh.next) {
		autoscale_look(u);
		reconcile(u);
	}
}

void autoscale_init(Unit *u)
{
	timer_init(&u->sizing.sample, u->controller->loop, on_time, u);
	autoscale_look(u);
}

void autoscale_stop(Unit *u)
{
	timer_stop(&u->sizing.sample);
}

/* ---- what came of it ----------------------------------------------------- */

/* After a restart of this process its operations say it already. */
void autoscale_told(Unit *u, const char *failure)
{
	Sizing *s = &u->sizing;
	char reason[REASON_SIZE];
	bool news = failure && s->wish > 0 && strcmp(s->failure, failure) != 0;

	text_copy(s->failure, sizeof(s->failure), failure ? failure : "");
	if (!news)
		return;
	snprintf(reason, sizeof(reason), "its server could not be given all of its size: %.900s",
		 failure);
	reconcile_note(u, reason);
}

const char *autoscale_note(const Unit *u)
{
	if (*u->sizing.failure)
		return u->sizing.failure;
	return u->controller->driver->can.limit_cpu ? NULL : no_limits;
}
