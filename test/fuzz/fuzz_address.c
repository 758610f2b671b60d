/* An address of any bytes: what is a literal is printed as itself. */
#include "fuzz.h"

#include "sys/address.h"

static void check_round_trip(const Address *a)
{
	char text[ADDRESS_TEXT_MAX], host[ADDRESS_TEXT_MAX];
	Address again;
	int port;

	address_print(a, text, sizeof(text));
	if (a->at.any.sa_family == AF_UNIX) {
		CHECK(strncmp(text, "unix:", 5) == 0);
		return;
	}
	CHECK(address_split(text, host, sizeof(host), &port));
	CHECK(address_of_literal(&again, host, port));
	CHECK(again.size == a->size && memcmp(&again.at, &a->at, a->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of_input((Span){data, size}), host[128];
	Address a;
	int port;

	if (address_split(text, host, sizeof(host), &port)) {
		CHECK(*host);
		CHECK(*text == '/' || *text == '@' ? port == 0 : port >= 1 && port <= 65535);
		if (address_of_literal(&a, host, port))
			check_round_trip(&a);
	}
	free(text);
	return 0;
}
