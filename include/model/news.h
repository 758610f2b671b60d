/*
 * News: what the control plane tells of a compute without being asked.
 *
 * It comes two ways, which overtake each other: events, which the monitor hears,
 * and the answers to wakes, which workers get.  Both carry the compute's
 * generation, so what is older than what is known is dropped, whoever brings it.
 *
 *	RISING   it is being started, or thawed
 *	FROZEN   its server is in memory and connected, but does not run: whoever is
 *	         waiting for it, or begins to, has to have it woken
 *	ENDING   it is being stopped: who is at rest there is told, and goes
 *	DOWN     its address is no longer its
 *	NEW      there was none of this name: an older one's generations say nothing
 *	GONE     there is none any more
 *
 * All of it is one word in the compute's row, so that the relay can look at it
 * for the price of a load.  The word says whose it is by the row's tenancy.
 */
#ifndef MODEL_NEWS_H
#define MODEL_NEWS_H

#include "model/route.h"

typedef enum NewsKind {
	NEWS_NONE,
	NEWS_NEW,
	NEWS_RISING,
	NEWS_AWAKE,
	NEWS_FROZEN,
	NEWS_ENDING,
	NEWS_DOWN,
	NEWS_GONE,
} NewsKind;

#define NEWS_GENERATION_BITS 45
#define NEWS_KIND_SHIFT      (NEWS_GENERATION_BITS + ROUTE_TENANCY_BITS)
#define NEWS_GENERATION_MAX  ((UINT64_C(1) << NEWS_GENERATION_BITS) - 1)

typedef struct News {
	NewsKind kind;
	uint32_t tenancy; /* of the row, when it was the compute's */
	uint64_t generation;
} News;

/* What that word means; false if it is none. */
bool news_kind_of(const char *state, NewsKind *out);

/* What is known of the tenant of that row; of kind NEWS_NONE if nothing is. */
News news_of(const Route *r, uint32_t tenancy);

/* Takes the news into the row unless it is older than what is known; true if it did. */
bool news_take(Route *r, News news);

/* A wake was answered with that generation, or with none (0, or what can be none). */
void news_woken(Route *r, uint32_t tenancy, uint64_t generation);

/*
 * The next news counts whatever its generation is: it comes from somebody who may
 * know of another compute of this name.
 */
void news_age(Route *r);

/* Whether an address that was learnt with that generation is no longer good. Pure. */
bool news_outdates(const News *news, uint64_t generation);

/* Whether the word says FROZEN; of whom, news_of() tells. */
static inline bool news_is_frozen(const Route *r)
{
	return atomic_load_explicit(&r->news, memory_order_relaxed) >> NEWS_KIND_SHIFT ==
	       NEWS_FROZEN;
}

#endif
