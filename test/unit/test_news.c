/* What is told of computes, by whom and in whatever order. */
#include "crowd.h"

#include "model/news.h"

static News told(const Route *r)
{
	return news_of(r, 0);
}

static bool tell(Route *r, NewsKind kind, uint64_t generation)
{
	return news_take(r, (News){kind, 0, generation});
}

TEST(every_state_means_something)
{
	static const char *const states[] = {"creating", "suspended",  "resuming",
					     "active",   "frozen",     "suspending",
					     "failed",   "destroying", "gone"};
	NewsKind kind;

	for (size_t i = 0; i < N_OF(states); i++) {
		assert_true(news_kind_of(states[i], &kind));
		assert_int_not_equal(kind, NEWS_NONE);
	}
	assert_false(news_kind_of("asleep", &kind));
	assert_false(news_kind_of("", &kind));
}

TEST(a_row_that_nothing_was_told_of_knows_nothing)
{
	Route r = {0};

	assert_int_equal(told(&r).kind, NEWS_NONE);
	assert_false(news_is_frozen(&r));
}

TEST(old_news_never_overrides_newer)
{
	static const struct {
		NewsKind known;
		uint64_t known_generation;
		NewsKind news;
		uint64_t generation;
		bool taken;
	} facts[] = {
		{NEWS_FROZEN, 12, NEWS_AWAKE, 11, false}, /* an answer that was overtaken */
		{NEWS_FROZEN, 12, NEWS_AWAKE, 13, true},
		{NEWS_AWAKE, 13, NEWS_FROZEN, 12, false}, /* an event that was overtaken */
		{NEWS_AWAKE, 13, NEWS_FROZEN, 13, true},  /* of one generation the later counts */
		{NEWS_AWAKE, 13, NEWS_FROZEN, 14, true},
		{NEWS_DOWN, 5, NEWS_AWAKE, 4, false},
		{NEWS_DOWN, 50, NEWS_NEW, 1, true}, /* another compute of this name */
		{NEWS_DOWN, 50, NEWS_GONE, 0, true},
		{NEWS_GONE, 0, NEWS_AWAKE, 3, true},
	};

	for (size_t i = 0; i < N_OF(facts); i++) {
		Route r = {0};

		assert_true(tell(&r, facts[i].known, facts[i].known_generation));
		assert_int_equal(tell(&r, facts[i].news, facts[i].generation), facts[i].taken);
		assert_int_equal(told(&r).kind, facts[i].taken ? facts[i].news : facts[i].known);
	}
}

TEST(a_compute_that_is_gone_leaves_no_generation)
{
	Route r = {0};

	tell(&r, NEWS_AWAKE, 90);
	tell(&r, NEWS_GONE, 91);
	assert_int_equal(told(&r).generation, 0);
}

TEST(an_answer_without_a_generation_is_believed)
{
	Route r = {0};

	tell(&r, NEWS_FROZEN, 12);
	news_woken(&r, 0, 0);
	assert_false(news_is_frozen(&r));
	assert_int_equal(told(&r).generation, 12);
	tell(&r, NEWS_FROZEN, 12);
	news_woken(&r, 0, (uint64_t)-1);
	assert_int_equal(told(&r).kind, NEWS_AWAKE);
	assert_int_equal(told(&r).generation, 12);
}

TEST(frozen_is_seen_by_one_look)
{
	Route r = {0};

	for (NewsKind kind = NEWS_NONE; kind <= NEWS_GONE; kind++) {
		tell(&r, kind, 7);
		assert_int_equal(news_is_frozen(&r), kind == NEWS_FROZEN);
	}
}

TEST(after_a_new_beginning_any_generation_counts)
{
	Route r = {0};

	tell(&r, NEWS_FROZEN, 40);
	news_age(&r);
	assert_true(news_is_frozen(&r));
	assert_true(tell(&r, NEWS_AWAKE, 3));
	assert_int_equal(told(&r).generation, 3);
}

TEST(what_is_told_of_one_tenant_is_not_believed_of_the_next)
{
	Route r = {0};

	news_take(&r, (News){NEWS_FROZEN, 3, 12});
	assert_int_equal(news_of(&r, 3).kind, NEWS_FROZEN);
	assert_int_equal(news_of(&r, 4).kind, NEWS_NONE);
	assert_true(news_take(&r, (News){NEWS_AWAKE, 4, 1}));
	assert_false(news_take(&r, (News){NEWS_FROZEN, 3, 13}));
	assert_int_equal(news_of(&r, 4).kind, NEWS_AWAKE);
}

TEST(tenancies_are_counted_round_and_round)
{
	Route r = {0};

	news_take(&r, (News){NEWS_FROZEN, 65535, 12});
	assert_true(news_take(&r, (News){NEWS_AWAKE, 0, 1}));
	assert_false(news_take(&r, (News){NEWS_FROZEN, 65535, 12}));
}

TEST(a_generation_has_room)
{
	Route r = {0};

	tell(&r, NEWS_FROZEN, NEWS_GENERATION_MAX);
	assert_int_equal(told(&r).generation, NEWS_GENERATION_MAX);
	assert_int_equal(told(&r).tenancy, 0);
	assert_int_equal(told(&r).kind, NEWS_FROZEN);
}

TEST(an_address_is_good_until_something_newer_says_otherwise)
{
	static const struct {
		NewsKind kind;
		uint64_t generation, learnt;
		bool outdated;
	} facts[] = {
		{NEWS_NONE, 0, 5, false},    {NEWS_AWAKE, 9, 5, false}, {NEWS_FROZEN, 9, 5, false},
		{NEWS_ENDING, 9, 5, true},   {NEWS_DOWN, 9, 5, true},   {NEWS_DOWN, 9, 10, false},
		{NEWS_RISING, 9, 10, false}, {NEWS_RISING, 9, 8, true}, {NEWS_GONE, 0, 5, true},
		{NEWS_NEW, 1, 5, true},
	};

	for (size_t i = 0; i < N_OF(facts); i++) {
		News news = {facts[i].kind, 0, facts[i].generation};

		assert_int_equal(news_outdates(&news, facts[i].learnt), facts[i].outdated);
	}
}

#define ROUNDS 20000

static Route *shared_row;

/* Everybody tells of growing generations: whose are even says frozen, whose are odd says awake. */
static int tell_in_turn(int who)
{
	int wrong = 0;

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		uint64_t generation = i * CROWD + (uint64_t)who;
		News after;

		tell(shared_row, who % 2 == 0 ? NEWS_FROZEN : NEWS_AWAKE, generation);
		after = told(shared_row);
		wrong += after.generation < generation;
		wrong += (after.generation % 2 == 0) != (after.kind == NEWS_FROZEN);
	}
	return wrong;
}

TEST(whoever_tells_at_the_same_time_the_newest_remains)
{
	shared_row = crowd_memory(sizeof(Route));
	assert_int_equal(crowd_run(tell_in_turn), 0);
	assert_int_equal(told(shared_row).generation, ROUNDS * CROWD + CROWD - 1);
	munmap(shared_row, sizeof(Route));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_means_something),
		cmocka_unit_test(a_row_that_nothing_was_told_of_knows_nothing),
		cmocka_unit_test(old_news_never_overrides_newer),
		cmocka_unit_test(a_compute_that_is_gone_leaves_no_generation),
		cmocka_unit_test(an_answer_without_a_generation_is_believed),
		cmocka_unit_test(frozen_is_seen_by_one_look),
		cmocka_unit_test(after_a_new_beginning_any_generation_counts),
		cmocka_unit_test(what_is_told_of_one_tenant_is_not_believed_of_the_next),
		cmocka_unit_test(tenancies_are_counted_round_and_round),
		cmocka_unit_test(a_generation_has_room),
		cmocka_unit_test(an_address_is_good_until_something_newer_says_otherwise),
		cmocka_unit_test(whoever_tells_at_the_same_time_the_newest_remains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
