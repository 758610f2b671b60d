#include "usage_facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void usage_facts_free(UsageFacts *f)
{
	free(f->intervals);
	free(f->samples);
	free(f->traffic);
	free(f->published);
	free(f->causes);
	*f = (UsageFacts){0};
}

/* ---- sums -------------------------------------------------------------- */

UsageSum usage_sum(const UsageFacts *f, const char *compute_id, int64_t from, int64_t to,
		   int64_t now)
{
	UsageSum sum = {0};

	meter_fold(&sum.time, f->intervals, f->n_intervals, compute_id, from, to);
	sum.storage_byte_seconds = meter_storage(f->samples, f->n_samples, compute_id, from, to);
	sum.proxied_bytes = meter_traffic(f->traffic, f->n_traffic, compute_id, from, to, now);
	return sum;
}

bool usage_is_nothing(const UsageSum *s)
{
	return s->time.active_us == 0 && s->time.frozen_us == 0 && s->storage_byte_seconds == 0 &&
	       s->proxied_bytes == 0;
}

/* ---- who --------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const UsageOf *x = a, *y = b;
	int order = strcmp(x->project_id, y->project_id);

	return order ? order : strcmp(x->compute_id, y->compute_id);
}

static void name(UsageOf *list, int *n, const char *project_id, const char *compute_id)
{
	UsageOf *of = &list[(*n)++];

	text_copy(of->project_id, sizeof(of->project_id), project_id);
	text_copy(of->compute_id, sizeof(of->compute_id), compute_id);
}

static int without_doubles(UsageOf *list, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		if (kept == 0 || by_name(&list[kept - 1], &list[i]) != 0)
			list[kept++] = list[i];
	}
	return kept;
}

int usage_computes(const UsageFacts *f, UsageOf **out)
{
	int most = f->n_intervals + f->n_samples + f->n_traffic + f->n_published, n = 0;
	UsageOf *list = mem_new((size_t)most + 1, sizeof(UsageOf));

	for (int i = 0; i < f->n_intervals; i++)
		name(list, &n, f->intervals[i].project_id, f->intervals[i].compute_id);
	for (int i = 0; i < f->n_samples; i++)
		name(list, &n, f->samples[i].project_id, f->samples[i].compute_id);
	for (int i = 0; i < f->n_traffic; i++)
		name(list, &n, f->traffic[i].project_id, f->traffic[i].compute_id);
	for (int i = 0; i < f->n_published; i++)
		name(list, &n, f->published[i].project_id, f->published[i].compute_id);
	qsort(list, (size_t)n, sizeof(UsageOf), by_name);
	*out = list;
	return without_doubles(list, n);
}

/* ---- an hour's news ---------------------------------------------------- */

static UsageHour published_of(const UsageFacts *f, const char *compute_id)
{
	for (int i = 0; i < f->n_published; i++) {
		if (strcmp(f->published[i].compute_id, compute_id) == 0)
			return f->published[i];
	}
	return (UsageHour){0};
}

static int64_t next_revision(const UsageFacts *f, const char *project_id)
{
	int64_t last = 0;

	for (int i = 0; i < f->n_published; i++) {
		const UsageHour *h = &f->published[i];

		if (strcmp(h->project_id, project_id) == 0 && h->revision > last)
			last = h->revision;
	}
	return last + 1;
}

static UsageNews news_of(const UsageFacts *f, const UsageOf *of, int64_t hour)
{
	UsageNews news = {.before = published_of(f, of->compute_id)};
	Compute compute = {0};

	text_copy(compute.id, sizeof(compute.id), of->compute_id);
	text_copy(compute.project_id, sizeof(compute.project_id), of->project_id);
	news.now =
		meter_hour(&compute, hour, f->intervals, f->n_intervals, f->samples, f->n_samples);
	news.now.proxied_bytes = meter_traffic(f->traffic, f->n_traffic, of->compute_id, hour,
					       hour + METER_HOUR, INT64_MAX);
	news.now.revision = next_revision(f, of->project_id);
	return news;
}

int usage_news(const UsageFacts *f, int64_t hour, UsageNews **out)
{
	UsageOf *computes;
	int n_computes = usage_computes(f, &computes), n = 0;
	UsageNews *news = mem_new((size_t)n_computes + 1, sizeof(UsageNews));

	for (int i = 0; i < n_computes; i++) {
		/* One that used nothing is as if it had been published so. */
		news[n] = news_of(f, &computes[i], hour);
		if (meter_is_revised(&news[n].before, &news[n].now))
			n++;
	}
	free(computes);
	*out = news;
	return n;
}
