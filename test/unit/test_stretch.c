/* Making keys of passwords, in turns: right keys, fair turns, and orders that are taken back. */
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "src/proxy/stretch.h"

#define SLICE 1024 /* iterations, of which an order gets so many in its turn */

static Loop *loop;
static Stretcher *stretcher;
static int ticks; /* turns of the loop that somebody else had */
static Timer tick;

/* An order, and what became of it. */
typedef struct Order {
	Stretch *job; /* NULL when it is served */
	int place;    /* in the order of being served, from 1 */
	ScramKeys keys;
	struct Order *cancels; /* when it is served */
	bool again;            /* it orders once more when it is served */
} Order;

static Order orders[60];
static int served, wanted; /* the loop stops when so many are served */

static void order(Order *o, const char *tenant, int iterations);

static void on_keys(void *arg, const ScramKeys *keys)
{
	Order *o = arg;

	o->keys = *keys;
	o->job = NULL;
	o->place = ++served;
	if (o->cancels) {
		stretch_cancel(o->cancels->job);
		o->cancels->job = NULL;
	}
	if (o->again) {
		o->again = false;
		order(o, "again", 1);
	}
	if (served == wanted)
		loop_stop(loop);
}

static void order(Order *o, const char *tenant, int iterations)
{
	o->job = stretch(stretcher, &(StretchOrder){.tenant = tenant,
						    .password = "pencil",
						    .salt = (const uint8_t *)"salt",
						    .salt_size = 4,
						    .iterations = iterations,
						    .on_keys = on_keys,
						    .arg = o});
	assert_non_null(o->job);
}

static void run_until_served(int n)
{
	wanted = n;
	loop_run(loop);
	assert_int_equal(served, n);
}

static int make_stretcher(void **state)
{
	(void)state;
	loop = loop_new();
	stretcher = stretcher_new(loop);
	memset(orders, 0, sizeof(orders));
	served = wanted = ticks = 0;
	return 0;
}

static int drop_stretcher(void **state)
{
	(void)state;
	stretcher_free(stretcher);
	loop_free(loop);
	return 0;
}

static void assert_keys(const ScramKeys *keys, const char *password, const char *salt,
			int iterations)
{
	uint8_t salted[SCRAM_KEY_SIZE], key[SCRAM_KEY_SIZE];

	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const uint8_t *)salt, (int)strlen(salt),
			  iterations, EVP_sha256(), SCRAM_KEY_SIZE, salted);
	HMAC(EVP_sha256(), salted, SCRAM_KEY_SIZE, (const uint8_t *)"Client Key", 10, key, NULL);
	assert_memory_equal(keys->client_key, key, SCRAM_KEY_SIZE);
	HMAC(EVP_sha256(), salted, SCRAM_KEY_SIZE, (const uint8_t *)"Server Key", 10, key, NULL);
	assert_memory_equal(keys->server_key, key, SCRAM_KEY_SIZE);
}

TEST(keys_are_what_libcrypto_makes_of_the_password)
{
	static const int iterations[] = {1, 2, SLICE - 1, SLICE, SLICE + 1, 4096, 10000};

	for (size_t i = 0; i < N_OF(iterations); i++)
		order(&orders[i], i % 2 ? "frog" : "toad", iterations[i]);
	assert_int_equal(served, 0);
	run_until_served(N_OF(iterations));
	for (size_t i = 0; i < N_OF(iterations); i++)
		assert_keys(&orders[i].keys, "pencil", "salt", iterations[i]);
}

TEST(what_is_ordered_is_copied)
{
	char tenant[] = "frog", password[] = "a long secret", salt[] = "0123456789abcdef";

	stretch(stretcher, &(StretchOrder){.tenant = tenant,
					   .password = password,
					   .salt = (const uint8_t *)salt,
					   .salt_size = strlen(salt),
					   .iterations = 3000,
					   .on_keys = on_keys,
					   .arg = &orders[0]});
	memset(tenant, 'x', strlen(tenant));
	memset(password, 'x', strlen(password));
	memset(salt, 'x', strlen(salt));
	run_until_served(1);
	assert_keys(&orders[0].keys, "a long secret", "0123456789abcdef", 3000);
}

/* Fairness. */

TEST(who_orders_much_waits_for_himself_alone)
{
	for (int i = 0; i < 50; i++)
		order(&orders[i], "greedy", 10 * SLICE);
	order(&orders[50], "modest", 10 * SLICE);
	run_until_served(51);
	assert_true(orders[50].place <= 2);
}

TEST(a_short_order_is_not_held_up_by_a_long_one)
{
	order(&orders[0], "greedy", 200 * SLICE);
	order(&orders[1], "modest", SLICE);
	order(&orders[2], "third", 3 * SLICE);
	run_until_served(3);
	assert_int_equal(orders[1].place, 1);
	assert_int_equal(orders[2].place, 2);
	assert_int_equal(orders[0].place, 3);
}

TEST(who_comes_while_others_wait_is_served_in_his_turn)
{
	for (int i = 0; i < 20; i++)
		order(&orders[i], "greedy", 10 * SLICE);
	run_until_served(3);
	order(&orders[50], "modest", 5 * SLICE);
	run_until_served(21);
	assert_true(orders[50].place <= 5);
}

TEST(orders_of_one_tenant_are_served_as_they_came)
{
	for (int i = 0; i < 10; i++)
		order(&orders[i], "frog", (10 - i) * 100);
	run_until_served(10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(orders[i].place, i + 1);
}

static void on_tick(void *arg)
{
	(void)arg;
	ticks++;
	timer_arm(&tick, 0);
}

TEST(the_loop_does_its_other_work_in_between)
{
	timer_init(&tick, loop, on_tick, NULL);
	timer_arm(&tick, 0);
	order(&orders[0], "frog", 100 * SLICE);
	run_until_served(1);
	timer_stop(&tick);
	assert_true(ticks >= 90);
}

/* Orders that are taken back. */

TEST(an_order_that_is_taken_back_is_not_served)
{
	order(&orders[0], "frog", 4096);
	order(&orders[1], "frog", 4096);
	order(&orders[2], "frog", 4096);
	order(&orders[3], "toad", 4096);
	stretch_cancel(orders[1].job);
	stretch_cancel(orders[3].job);
	run_until_served(2);
	assert_int_equal(orders[0].place, 1);
	assert_int_equal(orders[2].place, 2);
	assert_int_equal(orders[1].place, 0);
	assert_keys(&orders[2].keys, "pencil", "salt", 4096);
}

static void on_cancel(void *arg)
{
	Order *o = arg;

	stretch_cancel(o->job);
	o->job = NULL;
}

TEST(an_order_may_be_taken_back_in_the_middle)
{
	Timer cancel;

	order(&orders[0], "frog", SCRAM_ITERATIONS_MAX);
	order(&orders[1], "frog", 2 * SLICE);
	order(&orders[2], "toad", 20 * SLICE);
	timer_init(&cancel, loop, on_cancel, &orders[0]);
	timer_arm(&cancel, 1);
	run_until_served(2);
	assert_null(orders[0].job);
	assert_int_equal(orders[0].place, 0);
	assert_keys(&orders[1].keys, "pencil", "salt", 2 * SLICE);
	assert_keys(&orders[2].keys, "pencil", "salt", 20 * SLICE);
}

static void on_enough(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

TEST(when_all_are_taken_back_nothing_is_done)
{
	Timer enough;

	for (int i = 0; i < 10; i++)
		order(&orders[i], i % 3 ? "frog" : "toad", 4096);
	for (int i = 9; i >= 0; i--)
		stretch_cancel(orders[i].job);
	timer_init(&enough, loop, on_enough, NULL);
	timer_arm(&enough, 5);
	loop_run(loop);
	assert_int_equal(served, 0);
	order(&orders[0], "frog", 10);
	run_until_served(1);
	assert_keys(&orders[0].keys, "pencil", "salt", 10);
}

TEST(who_is_served_may_take_back_another_order)
{
	order(&orders[0], "frog", 100);
	order(&orders[1], "frog", 4096);
	order(&orders[2], "toad", 4096);
	order(&orders[3], "newt", 4096);
	orders[0].cancels = &orders[1];
	orders[2].cancels = &orders[3];
	run_until_served(2);
	assert_int_equal(orders[0].place, 1);
	assert_int_equal(orders[2].place, 2);
}

TEST(who_is_served_may_order_again)
{
	order(&orders[0], "again", 100);
	order(&orders[1], "frog", 100);
	orders[0].again = orders[1].again = true;
	run_until_served(4);
	assert_keys(&orders[0].keys, "pencil", "salt", 1);
	assert_keys(&orders[1].keys, "pencil", "salt", 1);
}

static StretchOrder order_ahead(const char *password)
{
	return (StretchOrder){.tenant = "",
			      .password = password,
			      .salt = (const uint8_t *)"salt",
			      .salt_size = 4,
			      .iterations = 1,
			      .keep = true};
}

TEST(no_more_is_made_ahead_than_is_kept)
{
	StretchOrder first = order_ahead("0"), o;
	ScramKeys keys;
	char password[8];
	int kept = 0;

	for (int i = 0; i < 20000; i++) {
		snprintf(password, sizeof(password), "%d", i);
		o = order_ahead(password);
		stretch_ahead(stretcher, &o);
	}
	order(&orders[0], "", 1); /* the last of its tenant */
	run_until_served(1);
	assert_true(stretch_now(stretcher, &first, &keys));
	for (int i = 0; i < 20000; i++) {
		snprintf(password, sizeof(password), "%d", i);
		o = order_ahead(password);
		kept += stretch_now(stretcher, &o, &keys);
	}
	assert_in_range(kept, 1000, 10000);
}

#define STRETCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_stretcher, drop_stretcher)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STRETCH_TEST(keys_are_what_libcrypto_makes_of_the_password),
		STRETCH_TEST(what_is_ordered_is_copied),
		STRETCH_TEST(who_orders_much_waits_for_himself_alone),
		STRETCH_TEST(a_short_order_is_not_held_up_by_a_long_one),
		STRETCH_TEST(who_comes_while_others_wait_is_served_in_his_turn),
		STRETCH_TEST(orders_of_one_tenant_are_served_as_they_came),
		STRETCH_TEST(the_loop_does_its_other_work_in_between),
		STRETCH_TEST(an_order_that_is_taken_back_is_not_served),
		STRETCH_TEST(an_order_may_be_taken_back_in_the_middle),
		STRETCH_TEST(when_all_are_taken_back_nothing_is_done),
		STRETCH_TEST(who_is_served_may_take_back_another_order),
		STRETCH_TEST(who_is_served_may_order_again),
		STRETCH_TEST(no_more_is_made_ahead_than_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
