#include "model/stats.h"

const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1] = {
	500,    1000,   2500,    5000,    10000,   25000,    50000,    100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000,
};

void histogram_add(Histogram *h, uint64_t us)
{
	int i = 0;

	while (i < HISTOGRAM_BUCKETS - 1 && us > histogram_bounds_us[i])
		i++;
	stat_add(&h->bucket[i], 1);
	stat_add(&h->sum_us, us);
}
