/*
 * What we say ourselves: an error that ends the session, and a cancel request.
 */
#include "pg.h"

static void put_field(Buf *out, char type, const char *text)
{
	buf_append_u8(out, (uint8_t)type);
	buf_append_text(out, text);
}

/* ErrorResponse: severity (also as it is never translated), SQLSTATE, message, detail, hint. */
void pg_refuse(const Fault *fault, Buf *out)
{
	size_t start = buf_size(out);

	buf_append_u8(out, PG_ERROR_RESPONSE);
	buf_append_u32(out, 0);
	put_field(out, 'S', "FATAL");
	put_field(out, 'V', "FATAL");
	put_field(out, 'C', fault_info(fault->code)->sqlstate);
	put_field(out, 'M', *fault->detail ? fault->detail : fault_info(fault->code)->text);
	if (*fault->figures)
		put_field(out, 'D', fault->figures);
	if (*fault->hint)
		put_field(out, 'H', fault->hint);
	buf_append_u8(out, 0);
	buf_put_u32(out, start + 1, (uint32_t)(buf_size(out) - start - 1));
}

void pg_cancel(const CancelKey *key, Buf *out)
{
	buf_append_u32(out, 12u + key->secret_size);
	buf_append_u32(out, PG_CANCEL_REQUEST);
	buf_append_u32(out, key->pid);
	buf_append(out, (Span){key->secret, key->secret_size});
}
