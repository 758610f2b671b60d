/* What we say ourselves. */
#include "wire.h"

TEST(a_refusal_is_a_fatal_error_of_the_protocol)
{
	Fault f;
	Buf out = {0};

	fault_set(&f, FAULT_NO_ROUTE, "there is no compute \"x\"");
	pg_refuse(&f, &out);
	assert_bytes(buf_span(&out), "E\0\0\0\063SFATAL\0VFATAL\0C3D000\0"
				     "Mthere is no compute \"x\"\0\0");
	buf_free(&out);
}

TEST(a_hint_is_a_field_of_its_own)
{
	Fault f;
	Buf out = {0};

	fault_set(&f, FAULT_QUOTA, "no");
	fault_hint(&f, "pay");
	pg_refuse(&f, &out);
	assert_bytes(buf_span(&out), "E\0\0\0\043SFATAL\0VFATAL\0C53400\0Mno\0Hpay\0\0");
	buf_free(&out);
}

TEST(figures_are_the_detail_and_stand_before_the_hint)
{
	Fault f;
	Buf out = {0};

	fault_set(&f, FAULT_QUOTA, "no");
	fault_figures(&f, "2 of 1");
	fault_hint(&f, "pay");
	pg_refuse(&f, &out);
	assert_bytes(buf_span(&out), "E\0\0\0\053SFATAL\0VFATAL\0C53400\0Mno\0D2 of 1\0Hpay\0\0");
	buf_free(&out);
}

/* Addresses and the like are for the log alone. */
TEST(a_cause_is_no_clients_business)
{
	Fault f;
	Buf out = {0};

	fault_set(&f, FAULT_QUOTA, "no");
	fault_cause(&f, "connect to 10.0.0.1");
	pg_refuse(&f, &out);
	assert_bytes(buf_span(&out), "E\0\0\0\036SFATAL\0VFATAL\0C53400\0Mno\0\0");
	buf_free(&out);
}

TEST(a_fault_without_a_sentence_has_its_own_words)
{
	Fault f = {.code = FAULT_SHUTDOWN};
	Buf out = {0};

	pg_refuse(&f, &out);
	assert_bytes(buf_span(&out), "E\0\0\0\066SFATAL\0VFATAL\0C57P01\0"
				     "Mthe proxy is shutting down\0\0");
	buf_free(&out);
}

TEST(a_refusal_goes_behind_what_is_there)
{
	Fault f;
	Buf out = {0};

	buf_append_u8(&out, 'N');
	fault_set(&f, FAULT_QUOTA, "no");
	pg_refuse(&f, &out);
	assert_int_equal(buf_size(&out), 1 + 1 + get_u32(buf_span(&out).at + 2));
	buf_free(&out);
}

TEST(every_fault_can_be_said)
{
	for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
		Fault f = {.code = (FaultCode)i};
		Buf out = {0};

		memset(f.detail, 'd', sizeof(f.detail) - 1);
		memset(f.hint, 'h', sizeof(f.hint) - 1);
		pg_refuse(&f, &out);
		assert_int_equal(buf_size(&out), 1 + get_u32(buf_span(&out).at + 1));
		buf_free(&out);
	}
}

TEST(a_cancel_carries_the_computes_own_key)
{
	CancelKey key = {.pid = 0x01020304, .secret = "abcd", .secret_size = 4};
	Buf out = {0};

	pg_cancel(&key, &out);
	assert_bytes(buf_span(&out), "\0\0\0\020\4\322\026\056\1\2\3\4abcd");
	buf_free(&out);
}

TEST(a_longer_key_makes_a_longer_cancel)
{
	CancelKey key = {.pid = 1, .secret_size = CANCEL_SECRET_MAX};
	Hello hello = {.asked_ssl = false};
	Buf out = {0}, reply = {0};
	Fault why;

	memset(key.secret, 'k', sizeof(key.secret));
	pg_cancel(&key, &out);
	assert_int_equal(pg_hello(&hello, &out, &reply, &why), HELLO_CANCEL);
	assert_int_equal(hello.cancel.pid, 1);
	assert_int_equal(hello.cancel.secret_size, CANCEL_SECRET_MAX);
	assert_memory_equal(hello.cancel.secret, key.secret, CANCEL_SECRET_MAX);
}

/* The sessions know the codec by this table only. */
TEST(the_protocol_is_complete)
{
	assert_string_equal(proto_pg.name, "postgres");
	assert_ptr_equal(proto_pg.hello, pg_hello);
	assert_ptr_equal(proto_pg.negotiate, pg_negotiate);
	assert_ptr_equal(proto_pg.begin, pg_begin);
	assert_ptr_equal(proto_pg.login, pg_login);
	assert_ptr_equal(proto_pg.watch, pg_watch);
	assert_ptr_equal(proto_pg.refuse, pg_refuse);
	assert_ptr_equal(proto_pg.cancel, pg_cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_a_fatal_error_of_the_protocol),
		cmocka_unit_test(a_hint_is_a_field_of_its_own),
		cmocka_unit_test(figures_are_the_detail_and_stand_before_the_hint),
		cmocka_unit_test(a_cause_is_no_clients_business),
		cmocka_unit_test(a_fault_without_a_sentence_has_its_own_words),
		cmocka_unit_test(a_refusal_goes_behind_what_is_there),
		cmocka_unit_test(every_fault_can_be_said),
		cmocka_unit_test(a_cancel_carries_the_computes_own_key),
		cmocka_unit_test(a_longer_key_makes_a_longer_cancel),
		cmocka_unit_test(the_protocol_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
