/* Session slots, which are the limit on clients and the cancel table too. */
#include "crowd.h"

#include "model/shared.h"

#define SLOTS 64

static Shared *sh;
static _Atomic int *held; /* how many slots the crowd has now */

static const uint8_t secret[4] = {'s', 'e', 'c', 'r'};
static const uint8_t long_secret[33] = "thirty-two bytes of pure entropy";

static int make_table(void **state)
{
	static const uint8_t key[16] = {0};

	(void)state;
	sh = crowd_memory(shared_size(SLOTS));
	held = crowd_memory(sizeof(*held) * (SLOTS + 1));
	shared_init(sh, CROWD, SLOTS, key, "token");
	return 0;
}

static int drop_table(void **state)
{
	(void)state;
	munmap(sh, shared_size(SLOTS));
	munmap((void *)(uintptr_t)held, sizeof(*held) * (SLOTS + 1));
	return 0;
}

/* Publishes a key for the slot, as a session does that is logged in. */
static void publish_key(uint32_t slot, uint32_t pid, const uint8_t *key, size_t size)
{
	SlotInfo info = {
		.compute_pid = pid, .compute = "frog", .client_secret_size = (uint32_t)size};

	memcpy(info.client_secret, key, size);
	ROW_STORE(&sh->slots[slot], &info);
	atomic_store(&sh->heads[slot].key, slot_key(pid, key, size));
}

static uint32_t publish(uint32_t slot)
{
	publish_key(slot, 4711 + slot, secret, sizeof(secret));
	return 4711 + slot;
}

static uint32_t find(uint32_t pid, SlotInfo *info)
{
	return slot_find(sh, pid, secret, sizeof(secret), info);
}

TEST(slots_are_claimed_up_to_the_limit)
{
	uint32_t hint = 0;

	atomic_store(&sh->max_clients, 3);
	assert_int_equal(slot_claim(sh, 1, &hint), 0);
	assert_int_equal(slot_claim(sh, 1, &hint), 1);
	assert_int_equal(slot_claim(sh, 1, &hint), 2);
	assert_int_equal(slot_claim(sh, 1, &hint), SLOT_NONE);
	slot_release(sh, 1, &hint);
	assert_int_equal(slot_claim(sh, 2, &hint), 1);
	assert_int_equal(atomic_load(&sh->heads[1].owner), 2);
	assert_int_equal(slot_claim(sh, 1, &hint), SLOT_NONE);
}

TEST(few_slots_are_ever_touched_by_few_sessions)
{
	uint32_t hint = 0;

	for (int i = 0; i < 1000; i++) {
		uint32_t slot = slot_claim(sh, 1, &hint);

		assert_int_equal(slot, 0);
		slot_release(sh, slot, &hint);
	}
}

TEST(a_hint_from_before_the_limit_was_lowered_does_no_harm)
{
	uint32_t hint = 60;

	atomic_store(&sh->max_clients, 2);
	assert_true(slot_claim(sh, 1, &hint) < 2);
	assert_true(slot_claim(sh, 1, &hint) < 2);
	assert_int_equal(slot_claim(sh, 1, &hint), SLOT_NONE);
}

static void give_back(uint32_t slot, uint32_t *hint)
{
	atomic_fetch_sub(&held[slot], 1);
	atomic_fetch_sub(&held[SLOTS], 1);
	slot_release(sh, slot, hint);
}

static int come_and_go(int who)
{
	uint32_t hint = (uint32_t)who, mine[8];
	unsigned seed = (unsigned)who;
	int n = 0, wrong = 0;

	for (int i = 0; i < 100000; i++) {
		if (n < 8 && rand_r(&seed) % 2) {
			uint32_t slot = slot_claim(sh, claimer_make(who, 1), &hint);

			if (slot == SLOT_NONE)
				continue;
			wrong += atomic_fetch_add(&held[SLOTS], 1) >= 10;
			wrong += atomic_fetch_add(&held[slot], 1) != 0;
			mine[n++] = slot;
		} else if (n > 0) {
			give_back(mine[--n], &hint);
		}
	}
	while (n > 0)
		give_back(mine[--n], &hint);
	return wrong;
}

/* A slot has one owner, and the limit holds over all workers without anybody counting. */
TEST(the_limit_holds_whoever_comes_at_once)
{
	atomic_store(&sh->max_clients, 10);
	assert_int_equal(crowd_run(come_and_go), 0);
	for (int i = 0; i < SLOTS; i++)
		assert_int_equal(atomic_load(&sh->heads[i].owner), 0);
}

TEST(a_key_names_its_slot)
{
	uint32_t pids[SLOTS];
	SlotInfo found;

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		pids[slot] = publish(slot);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(find(pids[slot], &found), slot);
		assert_int_equal(found.compute_pid, 4711 + slot);
		assert_string_equal(found.compute, "frog");
	}
}

TEST(a_key_is_made_of_its_process_id_and_its_secret_and_is_never_zero)
{
	static const uint8_t none[32] = {0};

	assert_int_equal(slot_key(0x01020304, secret, 4), 0x0102030473656372);
	assert_int_not_equal(slot_key(0, none, 4), 0);
	assert_int_not_equal(slot_key(0, none, 32), 0);
	assert_int_not_equal(slot_key(1, long_secret, 32), slot_key(2, long_secret, 32));
}

TEST(a_wrong_key_finds_nothing)
{
	uint32_t pid = publish(7);
	SlotInfo found;

	for (int bit = 0; bit < 32; bit++) {
		uint8_t other[4];

		memcpy(other, secret, 4);
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(slot_find(sh, pid, other, 4, &found), SLOT_NONE);
		assert_int_equal(find(pid ^ 1u << bit, &found), SLOT_NONE);
	}
	assert_int_equal(find(pid, &found), 7);
}

/* Protocol 3.2: each of the 32 bytes counts, also those that no key has room for. */
TEST(a_long_secret_is_compared_as_a_whole)
{
	uint8_t other[32];
	SlotInfo found;

	publish_key(9, 5, long_secret, 32);
	assert_int_equal(slot_find(sh, 5, long_secret, 32, &found), 9);
	for (int bit = 0; bit < 256; bit++) {
		memcpy(other, long_secret, 32);
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(slot_find(sh, 5, other, 32, &found), SLOT_NONE);
	}
	for (size_t size = 0; size < 32; size++)
		assert_int_equal(slot_find(sh, 5, long_secret, size, &found), SLOT_NONE);
}

/* The process id and the secret make one number; shifting bits between them is no way in. */
TEST(a_process_id_cannot_make_up_for_a_wrong_secret)
{
	uint8_t other[32];
	SlotInfo found;

	publish_key(9, 5, long_secret, 32);
	memcpy(other, long_secret, 32);
	other[7] ^= 5 ^ 6;
	assert_int_equal(slot_key(6, other, 32), slot_key(5, long_secret, 32));
	assert_int_equal(slot_find(sh, 6, other, 32, &found), SLOT_NONE);
	assert_int_equal(slot_find(sh, 6, long_secret, 32, &found), SLOT_NONE);
}

TEST(a_secret_of_no_size_that_we_hand_out_finds_nothing)
{
	static const uint8_t zeroes[300] = {0};
	SlotInfo found;

	for (size_t size = 0; size < sizeof(zeroes); size++)
		assert_int_equal(slot_find(sh, 0, zeroes, size, &found), SLOT_NONE);
}

TEST(a_slot_without_a_key_is_not_found)
{
	static const uint8_t zeroes[4] = {0};
	uint32_t hint = 0;
	SlotInfo found;

	slot_claim(sh, 1, &hint);
	assert_int_equal(slot_find(sh, 0, zeroes, 4, &found), SLOT_NONE);
	assert_int_equal(find(4711, &found), SLOT_NONE);
}

TEST(a_key_dies_with_its_session)
{
	uint32_t hint = 0, slot = slot_claim(sh, 1, &hint), pid = publish(slot);
	SlotInfo found;

	slot_release(sh, slot, &hint);
	assert_int_equal(find(pid, &found), SLOT_NONE);
	assert_int_equal(slot_claim(sh, 2, &hint), slot);
	assert_int_equal(find(pid, &found), SLOT_NONE);
}

/* The first of the crowd has session after session in one slot; the others look for the next. */
static int find_or_change(int who)
{
	uint32_t hint = 0;
	int wrong = 0;

	for (uint32_t i = 1; i <= 30000; i++) {
		uint32_t pid = (uint32_t)atomic_load(&held[0]) + 1;
		SlotInfo info;

		if (who > 0) {
			if (find(pid, &info) != SLOT_NONE)
				wrong += info.compute_pid != pid;
			continue;
		}
		slot_claim(sh, 1, &hint);
		publish_key(0, i, secret, sizeof(secret));
		atomic_store(&held[0], (int)i);
		slot_release(sh, 0, &hint);
	}
	return wrong;
}

TEST(a_key_never_finds_anothers_session)
{
	assert_int_equal(crowd_run(find_or_change), 0);
}

TEST(a_slot_forgets_its_session)
{
	uint32_t hint = 0, slot = slot_claim(sh, 1, &hint);
	SlotInfo info;

	publish(slot);
	atomic_store(&sh->heads[slot].at_work, 1);
	atomic_store(&sh->heads[slot].route, 5);
	atomic_store(&sh->heads[slot].transactions, 6);
	slot_release(sh, slot, &hint);
	assert_int_equal(atomic_load(&sh->heads[slot].at_work), 0);
	assert_int_equal(atomic_load(&sh->heads[slot].route), 0);
	assert_int_equal(atomic_load(&sh->heads[slot].transactions), 0);
	assert_true(ROW_LOAD(&sh->slots[slot], &info));
	assert_int_equal(info.compute_pid, 0);
	assert_string_equal(info.compute, "");
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(slots_are_claimed_up_to_the_limit),
		TABLE_TEST(few_slots_are_ever_touched_by_few_sessions),
		TABLE_TEST(a_hint_from_before_the_limit_was_lowered_does_no_harm),
		TABLE_TEST(the_limit_holds_whoever_comes_at_once),
		TABLE_TEST(a_key_names_its_slot),
		TABLE_TEST(a_key_is_made_of_its_process_id_and_its_secret_and_is_never_zero),
		TABLE_TEST(a_wrong_key_finds_nothing),
		TABLE_TEST(a_long_secret_is_compared_as_a_whole),
		TABLE_TEST(a_process_id_cannot_make_up_for_a_wrong_secret),
		TABLE_TEST(a_secret_of_no_size_that_we_hand_out_finds_nothing),
		TABLE_TEST(a_slot_without_a_key_is_not_found),
		TABLE_TEST(a_key_dies_with_its_session),
		TABLE_TEST(a_key_never_finds_anothers_session),
		TABLE_TEST(a_slot_forgets_its_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
