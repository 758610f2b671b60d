/* Bytes on their way: appended at the end, taken at the front. */
#include "unit.h"

TEST(an_empty_buf_owns_nothing)
{
	Buf b = {0};

	assert_int_equal(buf_size(&b), 0);
	buf_append(&b, (Span){NULL, 0});
	assert_null(b.bytes);
	buf_free(&b);
}

TEST(an_empty_buf_has_an_empty_span)
{
	Buf b = {0};

	assert_int_equal(buf_span(&b).n, 0);
}

TEST(what_is_appended_comes_out_in_order)
{
	Buf b = {0};

	buf_append_u8(&b, 'T');
	buf_append_u8(&b, 1);
	buf_append_u8(&b, 2);
	buf_append_u32(&b, 0x03040506);
	buf_append_text(&b, "bob");
	assert_bytes(buf_span(&b), "T\1\2\3\4\5\6bob\0");
	buf_take(&b, 3);
	assert_bytes(buf_span(&b), "\3\4\5\6bob\0");
	buf_free(&b);
}

TEST(the_last_byte_takes_the_memory_with_it)
{
	Buf b = {0};

	buf_append(&b, BYTES("four"));
	buf_take(&b, 3);
	assert_non_null(b.bytes);
	buf_take(&b, 1);
	assert_null(b.bytes);
	assert_int_equal(b.cap, 0);
}

TEST(a_length_is_put_where_it_belongs_also_after_a_take)
{
	Buf b = {0};

	buf_append(&b, BYTES("xxE\0\0\0\0rest"));
	buf_take(&b, 2);
	buf_put_u32(&b, 1, 0x01020304);
	assert_bytes(buf_span(&b), "E\1\2\3\4rest");
	buf_free(&b);
}

TEST(room_is_written_in_place)
{
	Buf b = {0};

	memcpy(buf_room(&b, 1000), "hello", 5);
	buf_added(&b, 5);
	assert_bytes(buf_span(&b), "hello");
	assert_true(b.cap - b.end >= 995);
	buf_free(&b);
}

/* A relay appends and takes for ever; its Buf must not grow with what has passed. */
TEST(a_long_conversation_needs_little_memory)
{
	Buf b = {0};
	uint32_t next_in = 0, next_out = 0;

	for (int i = 0; i < 10000; i++) {
		for (int k = 0; k < 1 + i % 7; k++)
			buf_append_u32(&b, next_in++);
		while (buf_size(&b) > 40) {
			const uint8_t *at = buf_span(&b).at;

			assert_int_equal(at[2] << 8 | at[3], next_out & 0xffff);
			buf_take(&b, 4);
			next_out++;
		}
	}
	assert_true(b.cap <= 256);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buf_owns_nothing),
		cmocka_unit_test(an_empty_buf_has_an_empty_span),
		cmocka_unit_test(what_is_appended_comes_out_in_order),
		cmocka_unit_test(the_last_byte_takes_the_memory_with_it),
		cmocka_unit_test(a_length_is_put_where_it_belongs_also_after_a_take),
		cmocka_unit_test(room_is_written_in_place),
		cmocka_unit_test(a_long_conversation_needs_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
