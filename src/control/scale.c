#include "scale.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LADDER_FOOT 250

/* Samples this far apart have a stop, a freeze or a sleeping control plane between them. */
#define SILENCE_MS 90000

/* Percent of the time that somebody waited, above which the mean need not be high. */
#define WAITING_CPU    40
#define WAITING_MEMORY 10

/* What PostgreSQL is rarely below for a session that does something. */
#define CONNECTION_BYTES (INT64_C(8) << 20)

static ScaleDecision stay(const ScaleLimits *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static ScaleDecision stay(const ScaleLimits *l, const char *fmt, ...)
{
	ScaleDecision d = {.size = l->size};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d.reason, sizeof(d.reason), fmt, ap);
	va_end(ap);
	return d;
}

/* ---- sizes ------------------------------------------------------------- */

static int clamp(int size, const ScaleLimits *l)
{
	if (size > l->most)
		return l->most;
	return size < l->least ? l->least : size;
}

static int step_up(const ScaleLimits *l)
{
	int step = LADDER_FOOT;

	while (step <= l->size)
		step *= 2;
	return clamp(step, l);
}

static int step_down(const ScaleLimits *l)
{
	int step = LADDER_FOOT;

	if (l->size <= LADDER_FOOT)
		return l->least;
	while (step * 2 < l->size)
		step *= 2;
	return clamp(step, l);
}

static int64_t memory_of(int size, const ScaleLimits *l)
{
	return l->memory_per_unit / 1000 * size;
}

/* ---- load -------------------------------------------------------------- */

static int percent(int64_t part, int64_t whole)
{
	return whole > 0 ? (int)(part * 100 / whole) : 0;
}

/* Between two samples, of which the first is older. */
static int cpu_load(const ScaleSample *a, const ScaleSample *b, int size)
{
	return percent(b->cpu_us - a->cpu_us, (b->at_ms - a->at_ms) * size);
}

static ScaleLoad load_of(const ScaleSample *a, const ScaleSample *b, const ScaleLimits *l)
{
	return (ScaleLoad){
		.cpu = cpu_load(a, b, l->size),
		.memory = percent(b->memory, memory_of(l->size, l)),
		.connections = percent(b->connections, l->connections),
	};
}

/* ---- history ----------------------------------------------------------- */

static bool is_calm(const ScaleLoad *load, const ScalePolicy *p)
{
	return load->cpu < p->cpu_down && load->memory < p->memory_down &&
	       load->connections < p->connections_down;
}

static void keep_most(int *most, int value)
{
	if (value > *most)
		*most = value;
}

static void note_calm(ScaleHistory *h, const ScaleLimits *l, const ScalePolicy *p)
{
	ScaleLoad load = load_of(&h->at[1], &h->at[0], l);

	if (!is_calm(&load, p)) {
		h->calm_since_ms = 0;
		return;
	}
	if (h->calm_since_ms == 0 || h->calm_size != l->size) {
		h->calm_since_ms = h->at[1].at_ms;
		h->calm_size = l->size;
		h->calm_peak = (ScaleLoad){0};
	}
	keep_most(&h->calm_peak.cpu, load.cpu);
	keep_most(&h->calm_peak.memory, load.memory);
	keep_most(&h->calm_peak.connections, load.connections);
}

static bool follows(const ScaleSample *s, const ScaleSample *last)
{
	return s->at_ms > last->at_ms && s->at_ms - last->at_ms <= SILENCE_MS &&
	       s->cpu_us >= last->cpu_us;
}

/* So that the samples reach over the short window, however often one is taken. */
static bool takes_place_of_last(const ScaleHistory *h, const ScalePolicy *p)
{
	return h->n > 1 && h->at[0].at_ms - h->at[1].at_ms < p->up_window_ms / (SCALE_SAMPLES - 2);
}

void scale_note(ScaleHistory *h, const ScaleSample *s, const ScaleLimits *l, const ScalePolicy *p)
{
	if (h->n > 0 && !follows(s, &h->at[0])) {
		h->n = 0;
		h->calm_since_ms = 0;
	}
	if (!takes_place_of_last(h, p)) {
		memmove(&h->at[1], &h->at[0], sizeof(h->at) - sizeof(h->at[0]));
		h->n += h->n < SCALE_SAMPLES;
	}
	h->at[0] = *s;
	if (h->n > 1)
		note_calm(h, l, p);
}

void scale_changed(ScaleHistory *h, int64_t now_ms)
{
	*h = (ScaleHistory){.changed_ms = now_ms};
}

/* ---- up ---------------------------------------------------------------- */

/* The oldest sample that the short window needs, or 0 if there are none so old. */
static int window_begin(const ScaleHistory *h, int64_t window_ms)
{
	for (int i = 1; i < h->n; i++) {
		if (h->at[0].at_ms - h->at[i].at_ms >= window_ms)
			return i;
	}
	return h->n == SCALE_SAMPLES ? h->n - 1 : 0;
}

static ScaleLoad mean_load(const ScaleHistory *h, int begin, const ScaleLimits *l)
{
	int64_t memory = 0, connections = 0;

	for (int i = 0; i < begin; i++) {
		memory += h->at[i].memory;
		connections += h->at[i].connections;
	}
	return (ScaleLoad){
		.cpu = cpu_load(&h->at[begin], &h->at[0], l->size),
		.memory = percent(memory / begin, memory_of(l->size, l)),
		.connections = percent(connections, (int64_t)begin * l->connections),
	};
}

/* Whether it is to grow, and why. */
static bool is_short(const ScaleHistory *h, int begin, const ScaleLimits *l, const ScalePolicy *p,
		     char why[SCALE_REASON_SIZE])
{
	ScaleLoad load = mean_load(h, begin, l);
	long long seconds = (long long)(h->at[0].at_ms - h->at[begin].at_ms) / 1000;
	const ScaleSample *last = &h->at[0];
	int n = 0;

	if (load.cpu > p->cpu_up)
		n = snprintf(why, SCALE_REASON_SIZE, "cpu %d %% of %g over %lld s, more than %d %%",
			     load.cpu, l->size / 1000.0, seconds, p->cpu_up);
	else if (load.memory > p->memory_up)
		n = snprintf(why, SCALE_REASON_SIZE,
			     "memory %d %% of %lld MB over %lld s, more than %d %%", load.memory,
			     (long long)(memory_of(l->size, l) >> 20), seconds, p->memory_up);
	else if (load.connections > p->connections_up)
		n = snprintf(why, SCALE_REASON_SIZE,
			     "connections %d %% of %d over %lld s, more than %d %%",
			     load.connections, l->connections, seconds, p->connections_up);
	else if (last->cpu_waiting > WAITING_CPU)
		n = snprintf(why, SCALE_REASON_SIZE,
			     "processes waited for cpu %d %% of the time, more than %d %%",
			     last->cpu_waiting, WAITING_CPU);
	else if (last->memory_waiting > WAITING_MEMORY)
		n = snprintf(why, SCALE_REASON_SIZE,
			     "processes waited for memory %d %% of the time, more than %d %%",
			     last->memory_waiting, WAITING_MEMORY);
	return n > 0;
}

/* As far as the machine has room. */
static ScaleDecision grow(const ScaleLimits *l, int wanted, const char *why)
{
	int room = l->capacity == 0 ? wanted : l->capacity - l->others;
	ScaleDecision d;

	if (wanted <= l->size)
		return stay(l, "%.150s; it is as large as it may be", why);
	if (room <= l->size)
		return stay(l, "%.120s; this machine has no room for more: others have %g of %g",
			    why, l->others / 1000.0, l->capacity / 1000.0);
	if (room < wanted)
		d = stay(l, "%.120s; %g would be right, but this machine has room for %g", why,
			 wanted / 1000.0, room / 1000.0);
	else
		d = stay(l, "%s", why);
	d.size = room < wanted ? room : wanted;
	return d;
}

/* ---- down -------------------------------------------------------------- */

/* What is in use now must fit below the mark that would make it grow again. */
static bool would_fit(const ScaleSample *now, int size, const ScaleLimits *l, const ScalePolicy *p)
{
	int64_t memory = memory_of(size, l);

	return memory == 0 || (percent(now->memory, memory) < p->memory_up &&
			       percent(now->connections * CONNECTION_BYTES, memory) < p->memory_up);
}

static int64_t calm_ms(const ScaleHistory *h, const ScaleLimits *l)
{
	return h->calm_since_ms > 0 && h->calm_size == l->size ? h->at[0].at_ms - h->calm_since_ms
							       : 0;
}

static ScaleDecision shrink(const ScaleHistory *h, const ScaleLimits *l, const ScalePolicy *p)
{
	int size = step_down(l);
	ScaleDecision d;

	if (size >= l->size)
		return stay(l, "it is as small as it may be");
	if (!would_fit(&h->at[0], size, l, p))
		return stay(l, "what it holds would not fit into %g", size / 1000.0);
	d = stay(l, "cpu at most %d %%, memory %d %% and connections %d %% for %lld s",
		 h->calm_peak.cpu, h->calm_peak.memory, h->calm_peak.connections,
		 (long long)calm_ms(h, l) / 1000);
	d.size = size;
	return d;
}

/* ---- deciding ---------------------------------------------------------- */

static bool pauses(const ScaleHistory *h, int64_t pause_ms, int64_t now_ms)
{
	return h->changed_ms > 0 && now_ms - h->changed_ms < pause_ms;
}

/* A project's new bounds hold at once. */
static ScaleDecision into_bounds(const ScaleLimits *l)
{
	ScaleDecision d =
		stay(l, "its project allows %g to %g", l->least / 1000.0, l->most / 1000.0);

	if (l->size < l->least)
		return grow(l, l->least, d.reason);
	d.size = l->most;
	return d;
}

ScaleDecision scale_decide(const ScaleHistory *h, const ScaleLimits *l, const ScalePolicy *p,
			   int64_t now_ms)
{
	char why[SCALE_REASON_SIZE];
	int begin = window_begin(h, p->up_window_ms);

	if (!p->on)
		return stay(l, "it is not to be scaled");
	if (clamp(l->size, l) != l->size)
		return into_bounds(l);
	if (h->n == 0 || now_ms - h->at[0].at_ms > SILENCE_MS)
		return stay(l, "nothing is known of its load");
	if (begin > 0 && is_short(h, begin, l, p, why)) {
		if (pauses(h, p->up_pause_ms, now_ms))
			return stay(l, "%.150s; it has just been changed", why);
		return grow(l, step_up(l), why);
	}
	if (calm_ms(h, l) < p->down_window_ms)
		return stay(l, "it has what it needs");
	if (pauses(h, p->down_pause_ms, now_ms))
		return stay(l, "it has just been changed");
	return shrink(h, l, p);
}
