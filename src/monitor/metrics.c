/*
 * Every metric of metrics.def, summed over the workers, and a few that are read
 * off the shared memory itself (Prometheus text format 0.0.4).
 */
#include "metrics.h"

#include <stdarg.h>
#include <stdio.h>

static void print(Buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void print(Buf *out, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_append(out, (Span){(const uint8_t *)line,
			       n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1});
}

static void print_head(Buf *out, const char *name, const char *type, const char *doc)
{
	print(out, "# HELP reveille_%s %s\n# TYPE reveille_%s %s\n", name, doc, name, type);
}

/* Rows of one name stand together, and only the first has a head. */
static void print_number(const Shared *sh, size_t offset, const char *name, const char *labels,
			 const char *type, const char *doc, const char **last, Buf *out)
{
	uint64_t sum = 0;

	for (int i = 0; i < sh->n_workers; i++)
		sum += stat_get(
			(const _Atomic uint64_t *)((const char *)&sh->workers[i].stats + offset));
	if (strcmp(*last, name) != 0)
		print_head(out, name, type, doc);
	*last = name;
	print(out, *labels ? "reveille_%s{%s} %llu\n" : "reveille_%s%s %llu\n", name, labels,
	      (unsigned long long)sum);
}

static void print_histogram(const Shared *sh, size_t offset, const char *name, const char *doc,
			    Buf *out)
{
	uint64_t bucket[HISTOGRAM_BUCKETS] = {0}, sum_us = 0, total = 0;

	for (int i = 0; i < sh->n_workers; i++) {
		const Histogram *h =
			(const Histogram *)((const char *)&sh->workers[i].stats + offset);

		sum_us += stat_get(&h->sum_us);
		for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
			bucket[b] += stat_get(&h->bucket[b]);
	}
	print_head(out, name, "histogram", doc);
	for (int b = 0; b < HISTOGRAM_BUCKETS - 1; b++)
		print(out, "reveille_%s_bucket{le=\"%g\"} %llu\n", name,
		      (double)histogram_bounds_us[b] / 1e6,
		      (unsigned long long)(total += bucket[b]));
	total += bucket[HISTOGRAM_BUCKETS - 1];
	print(out, "reveille_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)total);
	print(out, "reveille_%s_sum %.6f\nreveille_%s_count %llu\n", name, (double)sum_us / 1e6,
	      name, (unsigned long long)total);
}

/* Several faults may share a SQLSTATE, and are then one series. */
static void print_errors(const Shared *sh, Buf *out)
{
	print_head(out, "errors_total", "counter",
		   "Clients refused, by the SQLSTATE they were told.");
	for (FaultCode code = FAULT_NONE + 1; code < FAULT_COUNT; code++) {
		const char *sqlstate = fault_info(code)->sqlstate;
		uint64_t sum = 0;
		bool first = true;

		for (FaultCode other = FAULT_NONE + 1; other < FAULT_COUNT; other++) {
			if (strcmp(fault_info(other)->sqlstate, sqlstate) != 0)
				continue;
			first &= other >= code;
			for (int i = 0; i < sh->n_workers; i++)
				sum += stat_get(&sh->workers[i].stats.errors[other]);
		}
		if (first)
			print(out, "reveille_errors_total{sqlstate=\"%s\"} %llu\n", sqlstate,
			      (unsigned long long)sum);
	}
}

static void print_workers(const Shared *sh, Buf *out)
{
	print_head(out, "worker_restarts_total", "counter", "Workers that died and were replaced.");
	print(out, "reveille_worker_restarts_total %llu\n",
	      (unsigned long long)atomic_load(&sh->worker_restarts));
	print_head(out, "worker_sessions", "gauge", "Client connections of each worker.");
	for (int i = 0; i < sh->n_workers; i++)
		print(out, "reveille_worker_sessions{worker=\"%d\"} %u\n", i + 1,
		      atomic_load(&sh->workers[i].sessions));
}

void metrics_print(const Shared *sh, Buf *out)
{
	const char *last = "";

#define COUNTER(field, name, labels, doc) \
	print_number(sh, offsetof(Stats, field), name, labels, "counter", doc, &last, out);
#define GAUGE(field, name, labels, doc) \
	print_number(sh, offsetof(Stats, field), name, labels, "gauge", doc, &last, out);
#define HISTOGRAM(field, name, doc) print_histogram(sh, offsetof(Stats, field), name, doc, out);
#include "model/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	print_errors(sh, out);
	print_workers(sh, out);
}
