/* Following a conversation: is a request unanswered, a transaction open, a frame cut? */
#include "wire.h"

static Fault why;

static void say(Watch *w, Side from, const char *types)
{
	Buf frames = {0};

	for (; *types; types++) {
		/* ReadyForQuery is written as its status: I, t (in a transaction) or e (failed) */
		if (from == SIDE_COMPUTE && strchr("Ite", *types))
			put_message(&frames, 'Z',
				    (Span){(const uint8_t[]){*types == 'I'   ? 'I'
							     : *types == 't' ? 'T'
									     : 'E'},
					   1});
		else
			put_message(&frames, *types, BYTES("body\0"));
	}
	assert_true(pg_watch(w, from, buf_span(&frames), &why));
	buf_free(&frames);
}

/* A letter is a message's type; the compute's ReadyForQuery is I, t or e. */
static void client(Watch *w, const char *types)
{
	say(w, SIDE_CLIENT, types);
}

static void compute(Watch *w, const char *types)
{
	say(w, SIDE_COMPUTE, types);
}

TEST(a_fresh_session_is_at_rest)
{
	Watch w = {0};

	assert_true(watch_at_rest(&w));
}

TEST(a_query_is_at_rest_once_it_is_answered)
{
	Watch w = {0};

	client(&w, "Q");
	assert_false(watch_at_rest(&w));
	compute(&w, "TDDC");
	assert_false(watch_at_rest(&w));
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.transactions, 1);
	assert_int_equal(w.rows, 2);
}

/* A command's end, with its tag, in pieces of that size. */
static void done(Watch *w, const char *tag, size_t piece)
{
	Buf frame = {0};
	Span left;

	put_message(&frame, 'C', (Span){(const uint8_t *)tag, strlen(tag) + 1});
	for (left = buf_span(&frame); left.n > 0;
	     left = span_skip(left, piece < left.n ? piece : left.n))
		assert_true(pg_watch(w, SIDE_COMPUTE,
				     (Span){left.at, piece < left.n ? piece : left.n}, &why));
	assert_true(watch_at_frame_end(w, SIDE_COMPUTE));
	buf_free(&frame);
}

TEST(who_has_listened_listens_until_all_is_discarded)
{
	static const struct {
		const char *tag;
		bool before, after;
	} facts[] = {
		{"LISTEN", false, true},      {"SELECT 1", false, false},
		{"LISTENER", false, false},   {"", false, false},
		{"SHOW", true, true},         {"UNLISTEN", true, true},
		{"NOTIFY", false, false},     {"DISCARD ALL", true, false},
		{"DISCARD TEMP", true, true}, {"DISCARD PLANS", true, true},
	};

	for (size_t i = 0; i < N_OF(facts); i++) {
		for (size_t piece = 1; piece < 20; piece++) {
			Watch w = {.listening = facts[i].before};

			done(&w, facts[i].tag, piece);
			assert_int_equal(w.listening, facts[i].after);
		}
	}
}

/* Close has the letter of CommandComplete. */
TEST(what_a_client_says_is_no_tag)
{
	Watch w = {0};

	assert_true(pg_watch(&w, SIDE_CLIENT, BYTES("C\0\0\0\013LISTEN\0"), &why));
	assert_false(w.listening);
}

TEST(half_a_message_is_not_rest)
{
	Watch w = {0};

	assert_true(pg_watch(&w, SIDE_COMPUTE, BYTES("N\0\0\0\6"), &why));
	assert_false(watch_at_rest(&w));
	assert_false(watch_at_frame_end(&w, SIDE_COMPUTE));
	assert_true(pg_watch(&w, SIDE_COMPUTE, BYTES("x\0"), &why));
	assert_true(watch_at_rest(&w));
	assert_true(pg_watch(&w, SIDE_CLIENT, BYTES("Q"), &why));
	assert_false(watch_at_rest(&w));
}

/* The status byte belongs to the answer: without it the answer is not there. */
TEST(ready_without_its_status_is_no_answer)
{
	Watch w = {0};

	client(&w, "Q");
	assert_true(pg_watch(&w, SIDE_COMPUTE, BYTES("Z\0\0\0\5"), &why));
	assert_int_equal(watch_unanswered(&w), 1);
	assert_true(pg_watch(&w, SIDE_COMPUTE, BYTES("T"), &why));
	assert_int_equal(watch_unanswered(&w), 0);
	assert_true(w.in_transaction);
}

TEST(an_open_transaction_is_not_rest)
{
	Watch w = {0};

	client(&w, "Q");
	compute(&w, "Ct");
	assert_false(watch_at_rest(&w));
	client(&w, "Q");
	compute(&w, "Ee");
	assert_false(watch_at_rest(&w));
	assert_int_equal(w.transactions, 0);
	client(&w, "Q");
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
	assert_int_equal(w.transactions, 1);
	assert_int_equal(w.requests, 3);
}

TEST(a_pipeline_is_answered_one_sync_at_a_time)
{
	Watch w = {0};

	client(&w, "PBDESPBDESPBDES");
	assert_int_equal(watch_unanswered(&w), 3);
	compute(&w, "12TDCI");
	assert_int_equal(watch_unanswered(&w), 2);
	compute(&w, "12EI");
	assert_false(watch_at_rest(&w));
	compute(&w, "12CI");
	assert_true(watch_at_rest(&w));
	assert_int_equal(w.requests, 3);
}

TEST(queries_and_syncs_may_be_mixed)
{
	Watch w = {0};

	client(&w, "QPBESFQ");
	assert_int_equal(watch_unanswered(&w), 4);
	compute(&w, "CI12CICVICI");
	assert_true(watch_at_rest(&w));
}

TEST(what_waits_for_its_sync_is_not_at_rest)
{
	Watch w = {0};

	client(&w, "PBEH");
	compute(&w, "12DDs");
	assert_false(watch_at_rest(&w));
	client(&w, "S");
	assert_false(watch_at_rest(&w));
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
}

TEST(a_simple_query_ends_what_was_not_synced)
{
	Watch w = {0};

	client(&w, "PBEHQ");
	compute(&w, "12C");
	assert_false(watch_at_rest(&w));
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

TEST(an_answer_that_nobody_asked_for_does_no_harm)
{
	Watch w = {0};

	compute(&w, "IANS");
	assert_true(watch_at_rest(&w));
	client(&w, "Q");
	assert_int_equal(watch_unanswered(&w), 1);
}

TEST(a_goodbye_is_heard)
{
	Watch w = {0};

	client(&w, "Q");
	assert_false(w.terminated);
	client(&w, "X");
	assert_true(w.terminated);
}

TEST(the_other_sides_letters_mean_other_things)
{
	Watch w = {0};

	client(&w, "ZGTK");
	compute(&w, "SFXQcf");
	assert_true(watch_at_rest(&w));
	assert_false(w.terminated);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.rows, 0);
}

TEST(a_copy_by_a_simple_query_is_one_request)
{
	Watch w = {0};

	client(&w, "Q");
	compute(&w, "G");
	client(&w, "dddd");
	assert_false(watch_at_rest(&w));
	client(&w, "c");
	assert_false(watch_at_rest(&w));
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
	assert_int_equal(w.requests, 1);
}

TEST(a_copy_out_is_one_request)
{
	Watch w = {0};

	client(&w, "Q");
	compute(&w, "HdddcC");
	assert_false(watch_at_rest(&w));
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
}

/* As libpq does it: one Sync is swallowed, the one behind the data is answered. */
TEST(a_sync_that_a_copy_swallows_is_not_waited_for)
{
	Watch w = {0};

	client(&w, "PBDES");
	compute(&w, "12nG");
	client(&w, "dd");
	client(&w, "cS");
	assert_false(watch_at_rest(&w));
	compute(&w, "C");
	assert_false(watch_at_rest(&w));
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
}

TEST(a_copy_is_not_rest)
{
	Watch w = {0};

	client(&w, "PBDES");
	compute(&w, "12nG");
	assert_false(watch_at_rest(&w));
	client(&w, "dSd");
	assert_false(watch_at_rest(&w));
	client(&w, "c");
	assert_false(watch_at_rest(&w));
	client(&w, "S");
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

TEST(syncs_within_the_data_are_swallowed)
{
	Watch w = {0};

	client(&w, "Q");
	compute(&w, "G");
	client(&w, "dSdSdSc");
	assert_int_equal(watch_unanswered(&w), 1);
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

TEST(data_may_be_sent_before_the_compute_wants_it)
{
	Watch w = {0};

	client(&w, "PBDESddcS");
	compute(&w, "12nG");
	assert_int_equal(watch_unanswered(&w), 1);
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

TEST(what_is_pipelined_around_a_copy_is_counted)
{
	Watch w = {0};

	client(&w, "PBES"
		   "PBESddcS"
		   "PBES");
	compute(&w, "12CI");
	compute(&w, "12G");
	assert_int_equal(watch_unanswered(&w), 2);
	compute(&w, "CI");
	assert_int_equal(watch_unanswered(&w), 1);
	compute(&w, "12CI");
	assert_true(watch_at_rest(&w));
}

TEST(a_copy_that_the_client_fails_is_answered)
{
	Watch w = {0};

	client(&w, "PBES");
	compute(&w, "12G");
	client(&w, "dfS");
	assert_false(watch_at_rest(&w));
	compute(&w, "EI");
	assert_true(watch_at_rest(&w));
}

/* "The backend will now discard frontend messages until a Sync is received." */
TEST(a_sync_behind_a_copy_that_the_compute_failed_is_answered)
{
	Watch w = {0};

	client(&w, "PBES");
	compute(&w, "12G");
	client(&w, "d");
	compute(&w, "E");
	assert_false(watch_at_rest(&w));
	client(&w, "S");
	assert_false(watch_at_rest(&w));
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
}

/* The client was still sending when the compute had failed the COPY already. */
TEST(an_end_of_data_that_comes_too_late_is_forgotten)
{
	Watch w = {0};

	client(&w, "Q");
	compute(&w, "G");
	client(&w, "d");
	compute(&w, "EI");
	client(&w, "ddc");
	assert_true(watch_at_rest(&w));
	client(&w, "PBES");
	compute(&w, "12G");
	client(&w, "dcS");
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

TEST(a_copy_that_never_began_leaves_nothing_behind)
{
	Watch w = {0};

	client(&w, "PBESdcS");
	compute(&w, "EI");
	assert_int_equal(watch_unanswered(&w), 1);
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
	client(&w, "PBES");
	compute(&w, "12G");
	client(&w, "dcS");
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

/* A walsender's stream: data both ways until both have ended. */
TEST(a_copy_in_both_directions_is_one_request)
{
	Watch w = {0};

	client(&w, "Q");
	compute(&w, "Wddd");
	client(&w, "ddc");
	compute(&w, "dcC");
	assert_false(watch_at_rest(&w));
	compute(&w, "I");
	assert_true(watch_at_rest(&w));
	client(&w, "PBES");
	compute(&w, "12G");
	client(&w, "dcS");
	compute(&w, "CI");
	assert_true(watch_at_rest(&w));
}

TEST(a_length_that_cannot_be_is_a_fault)
{
	static const struct {
		Side from;
		const char bytes[7];
		const char *detail;
	} bad[] = {
		{SIDE_CLIENT, "Q\0\0\0\3", "message 0x51 claims a length of 3"},
		{SIDE_CLIENT, "Q\0\0\0\0", "message 0x51 claims a length of 0"},
		{SIDE_CLIENT, "Q\x80\0\0\0", "message 0x51 claims a length of 2147483648"},
		{SIDE_COMPUTE, "D\xff\xff\xff\xff", "message 0x44 claims a length of 4294967295"},
		{SIDE_COMPUTE, "Z\0\0\0\4I", "message 0x5a claims a length of 4"},
	};

	for (size_t i = 0; i < N_OF(bad); i++) {
		Watch w = {0};

		assert_false(pg_watch(
			&w, bad[i].from,
			(Span){(const uint8_t *)bad[i].bytes, bad[i].bytes[0] == 'Z' ? 6 : 5},
			&why));
		assert_int_equal(why.code, FAULT_BAD_MESSAGE);
		assert_string_equal(why.detail, bad[i].detail);
	}
}

TEST(the_longest_length_is_the_protocols)
{
	Watch w = {0};

	assert_true(pg_watch(&w, SIDE_CLIENT, BYTES("d\x7f\xff\xff\xff"), &why));
	assert_int_equal(w.cursor[SIDE_CLIENT].left, 0x7fffffff - 4);
}

/* A conversation of random messages; both directions are made of the same bytes. */
static size_t make_stream(uint8_t *stream, size_t size, unsigned *seed)
{
	size_t n = 0;

	while (n < size - 50) {
		uint32_t body = (uint32_t)rand_r(seed) % 40;

		stream[n] = (uint8_t) "QZSDCTEGcfdXF"[rand_r(seed) % 13];
		if (stream[n] == 'Z')
			body = 1 + body % 3;
		memcpy(stream + n + 1, (uint8_t[]){0, 0, 0, (uint8_t)(body + 4)}, 4);
		for (uint32_t i = 0; i < body; i++)
			stream[n + 5 + i] = (uint8_t) "ITE"[rand_r(seed) % 3];
		n += 5 + body;
	}
	return n;
}

static void show_in_pieces(Watch *w, Side side, Span stream, unsigned *seed)
{
	while (stream.n > 0) {
		size_t n = 1 + (size_t)rand_r(seed) % 9;

		n = n < stream.n ? n : stream.n;
		assert_true(pg_watch(w, side, (Span){stream.at, n}, &why));
		stream = span_skip(stream, n);
	}
}

static void assert_same_state(const Watch *a, const Watch *b)
{
	assert_int_equal(a->unanswered_queries, b->unanswered_queries);
	assert_int_equal(a->unanswered_syncs, b->unanswered_syncs);
	assert_int_equal(a->syncs_after_copy, b->syncs_after_copy);
	assert_int_equal(a->copy_in, b->copy_in);
	assert_int_equal(a->copy_ended, b->copy_ended);
	assert_int_equal(a->in_transaction, b->in_transaction);
	assert_int_equal(a->terminated, b->terminated);
	assert_int_equal(a->requests, b->requests);
	assert_int_equal(a->transactions, b->transactions);
	assert_int_equal(a->rows, b->rows);
	assert_int_equal(watch_at_rest(a), watch_at_rest(b));
}

TEST(cuts_do_not_matter)
{
	for (unsigned seed = 1; seed < 5000; seed++) {
		uint8_t stream[400];
		unsigned dice = seed;
		size_t n = make_stream(stream, sizeof(stream), &dice);
		Watch whole = {0}, cut = {0};

		for (int side = 0; side < 2; side++) {
			assert_true(pg_watch(&whole, (Side)side, (Span){stream, n}, &why));
			show_in_pieces(&cut, (Side)side, (Span){stream, n}, &dice);
			assert_true(watch_at_frame_end(&whole, (Side)side));
		}
		assert_same_state(&whole, &cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_session_is_at_rest),
		cmocka_unit_test(a_query_is_at_rest_once_it_is_answered),
		cmocka_unit_test(who_has_listened_listens_until_all_is_discarded),
		cmocka_unit_test(what_a_client_says_is_no_tag),
		cmocka_unit_test(half_a_message_is_not_rest),
		cmocka_unit_test(ready_without_its_status_is_no_answer),
		cmocka_unit_test(an_open_transaction_is_not_rest),
		cmocka_unit_test(a_pipeline_is_answered_one_sync_at_a_time),
		cmocka_unit_test(queries_and_syncs_may_be_mixed),
		cmocka_unit_test(what_waits_for_its_sync_is_not_at_rest),
		cmocka_unit_test(a_simple_query_ends_what_was_not_synced),
		cmocka_unit_test(an_answer_that_nobody_asked_for_does_no_harm),
		cmocka_unit_test(a_goodbye_is_heard),
		cmocka_unit_test(the_other_sides_letters_mean_other_things),
		cmocka_unit_test(a_copy_by_a_simple_query_is_one_request),
		cmocka_unit_test(a_copy_out_is_one_request),
		cmocka_unit_test(a_sync_that_a_copy_swallows_is_not_waited_for),
		cmocka_unit_test(a_copy_is_not_rest),
		cmocka_unit_test(syncs_within_the_data_are_swallowed),
		cmocka_unit_test(data_may_be_sent_before_the_compute_wants_it),
		cmocka_unit_test(what_is_pipelined_around_a_copy_is_counted),
		cmocka_unit_test(a_copy_that_the_client_fails_is_answered),
		cmocka_unit_test(a_sync_behind_a_copy_that_the_compute_failed_is_answered),
		cmocka_unit_test(an_end_of_data_that_comes_too_late_is_forgotten),
		cmocka_unit_test(a_copy_that_never_began_leaves_nothing_behind),
		cmocka_unit_test(a_copy_in_both_directions_is_one_request),
		cmocka_unit_test(a_length_that_cannot_be_is_a_fault),
		cmocka_unit_test(the_longest_length_is_the_protocols),
		cmocka_unit_test(cuts_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
