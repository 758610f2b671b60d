/*
 * A list of networks of any bytes, and an address to look for in it.  What is
 * taken has no bits behind its masks, has its own networks' first address, and
 * answers the same for an address and for the same one mapped into IPv6.
 */
#include "fuzz.h"

#include "conf/network.h"

static void check_one(const NetworkList *l, const Network *n)
{
	ClientAddress first = {.family = n->family};

	CHECK(n->family == 4 || n->family == 6);
	CHECK(n->bits >= 0 && n->bits <= (n->family == 4 ? 32 : 128));
	memcpy(first.bytes, n->bytes, sizeof(first.bytes));
	CHECK(network_has(n, &first));
	CHECK(network_list_has(l, &first));
}

static void check_mapped(const NetworkList *l, Span in)
{
	ClientAddress plain = {.family = 4}, mapped = {.family = 6, .bytes = {[10] = 255, 255}};

	for (int i = 0; i < 4; i++)
		plain.bytes[i] = mapped.bytes[12 + i] = take_byte(&in);
	CHECK(network_list_has(l, &plain) == network_list_has(l, &mapped));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of_input((Span){data, size});
	NetworkList l;
	Fault why = {0};

	if (network_list_parse(&l, text, &why)) {
		for (int i = 0; i < l.n; i++)
			check_one(&l, &l.at[i]);
		check_mapped(&l, (Span){data, size});
	} else {
		CHECK(why.code == FAULT_BAD_SETTING && *why.detail);
	}
	network_list_free(&l);
	free(text);
	return 0;
}
