#include "model/news.h"

#include <string.h>

#define TENANCY_MASK ((UINT64_C(1) << ROUTE_TENANCY_BITS) - 1)

static uint64_t pack(News n)
{
	return (uint64_t)n.kind << NEWS_KIND_SHIFT |
	       (n.tenancy & TENANCY_MASK) << NEWS_GENERATION_BITS |
	       (n.generation & NEWS_GENERATION_MAX);
}

static News unpack(uint64_t word)
{
	return (News){.kind = (NewsKind)(word >> NEWS_KIND_SHIFT),
		      .tenancy = (uint32_t)(word >> NEWS_GENERATION_BITS & TENANCY_MASK),
		      .generation = word & NEWS_GENERATION_MAX};
}

bool news_kind_of(const char *state, NewsKind *out)
{
	static const struct {
		const char *word;
		NewsKind kind;
	} states[] = {
#define NEWS(word, kind) {#word, NEWS_##kind},
#include "model/news.def"
#undef NEWS
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(states[i].word, state) != 0)
			continue;
		*out = states[i].kind;
		return true;
	}
	return false;
}

News news_of(const Route *r, uint32_t tenancy)
{
	News n = unpack(atomic_load(&r->news));

	return n.tenancy == tenancy ? n : (News){.tenancy = tenancy};
}

/* Tenancies are counted round and round; the nearer way tells which came first. */
static bool is_of_later_tenant(const News *known, const News *news)
{
	return (int16_t)(uint16_t)(known->tenancy - news->tenancy) > 0;
}

static bool is_older(const News *known, const News *news)
{
	if (known->tenancy != news->tenancy)
		return is_of_later_tenant(known, news);
	if (news->kind == NEWS_NEW || news->kind == NEWS_GONE)
		return false;
	return news->generation < known->generation;
}

bool news_take(Route *r, News news)
{
	uint64_t now = atomic_load(&r->news);
	News known;

	do {
		known = unpack(now);
		if (is_older(&known, &news))
			return false;
		if (news.kind == NEWS_GONE)
			news.generation = 0;
	} while (!atomic_compare_exchange_weak(&r->news, &now, pack(news)));
	return true;
}

void news_woken(Route *r, uint32_t tenancy, uint64_t generation)
{
	News news = {NEWS_AWAKE, tenancy, generation};

	if (generation == 0 || generation > NEWS_GENERATION_MAX)
		news.generation = news_of(r, tenancy).generation;
	news_take(r, news);
}

void news_age(Route *r)
{
	uint64_t now = atomic_load(&r->news);

	while (!atomic_compare_exchange_weak(&r->news, &now, now & ~NEWS_GENERATION_MAX))
		;
}

bool news_outdates(const News *news, uint64_t generation)
{
	switch (news->kind) {
	case NEWS_RISING:
	case NEWS_ENDING:
	case NEWS_DOWN:
		return news->generation >= generation;
	case NEWS_GONE:
	case NEWS_NEW:
		return true;
	case NEWS_NONE:
	case NEWS_AWAKE:
	case NEWS_FROZEN:
		return false;
	}
	return false;
}
