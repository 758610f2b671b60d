#include "gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

typedef struct Gathering {
	Store *store;
	Page period, hours;
	UsageFacts facts;
	Gathered on_gathered;
	void *arg;
} Gathering;

static void end(Gathering *g, const Fault *why)
{
	if (why)
		usage_facts_free(&g->facts);
	g->on_gathered(g->arg, &g->facts, why);
	free(g);
}

static void *copy(const StoreRows *rows, size_t size, int *n)
{
	void *records = mem_new((size_t)rows->n + 1, size);

	if (rows->n > 0)
		memcpy(records, rows->at, (size_t)rows->n * size);
	*n = rows->n;
	return records;
}

static void on_causes(void *arg, const StoreRows *rows, const Fault *why)
{
	Gathering *g = arg;

	if (!why)
		g->facts.causes = copy(rows, sizeof(AwakeCause), &g->facts.n_causes);
	end(g, why);
}

static void on_published(void *arg, const StoreRows *rows, const Fault *why)
{
	Gathering *g = arg;

	if (why) {
		end(g, why);
		return;
	}
	g->facts.published = copy(rows, sizeof(UsageHour), &g->facts.n_published);
	g->hours.limit = GATHER_CAUSES;
	store_cause_list(g->store, &g->hours, (StoreCall){on_causes, g});
}

static void on_traffic(void *arg, const StoreRows *rows, const Fault *why)
{
	Gathering *g = arg;

	if (why) {
		end(g, why);
		return;
	}
	g->facts.traffic = copy(rows, sizeof(Traffic), &g->facts.n_traffic);
	store_hour_list(g->store, &g->hours, (StoreCall){on_published, g});
}

static void on_samples(void *arg, const StoreRows *rows, const Fault *why)
{
	Gathering *g = arg;

	if (why) {
		end(g, why);
		return;
	}
	g->facts.samples = copy(rows, sizeof(StorageSample), &g->facts.n_samples);
	store_traffic_list(g->store, &g->hours, (StoreCall){on_traffic, g});
}

static void on_intervals(void *arg, const StoreRows *rows, const Fault *why)
{
	Gathering *g = arg;

	if (why) {
		end(g, why);
		return;
	}
	g->facts.intervals = copy(rows, sizeof(Interval), &g->facts.n_intervals);
	store_sample_list(g->store, &g->period, (StoreCall){on_samples, g});
}

void gather(Store *s, const char *project_id, int64_t from, int64_t to, Gathered on_gathered,
	    void *arg)
{
	Gathering *g = NEW(Gathering);
	int64_t last = to % METER_HOUR;

	*g = (Gathering){.store = s, .on_gathered = on_gathered, .arg = arg};
	g->period = (Page){.from = from, .to = to};
	text_copy(g->period.project_id, sizeof(g->period.project_id), project_id);
	g->hours = g->period;
	g->hours.from = from - from % METER_HOUR;
	g->hours.to = last == 0 ? to : to - last + METER_HOUR;
	store_interval_list(s, &g->period, (StoreCall){on_intervals, g});
}
