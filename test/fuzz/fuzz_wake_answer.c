/*
 * A control plane that answers anything at all: an address is taken only if it
 * is one, and whatever else comes is a fault with a sentence.
 *
 * Input: which status, then the body.
 */
#include "fuzz.h"

#include "src/proxy/wake_answer.h"
#include "sys/address.h"

static const int statuses[] = {200, 200, 0, 201, 302, 400, 401, 403, 404, 409, 423, 429, 500, 503};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	int status = statuses[take_byte(&in) % (sizeof(statuses) / sizeof(statuses[0]))];
	char *body = text_of_input(in), host[ROUTE_ADDRESS_SIZE];
	FetchAnswer fetched = {.status = status,
			       .error = "gone",
			       .body = {(const uint8_t *)body, in.n},
			       .retry_after_ms = -1};
	RouteAnswer answer = {.name = "frog", .address = "old:1"};
	int port;

	if (wake_judge(&fetched, "frog", &answer) == WAKE_OK) {
		CHECK(status == 200);
		CHECK(address_split(answer.address, host, sizeof(host), &port) && *host);
		CHECK(!strpbrk(answer.address, " \t\r\n"));
		CHECK(!strpbrk(answer.server_name, " \t\r\n/\"*"));
	} else {
		CHECK(answer.fault.code != FAULT_NONE && *answer.fault.detail);
		CHECK(strcmp(answer.address, "old:1") == 0);
	}
	CHECK(strcmp(answer.name, "frog") == 0);
	free(body);
	return 0;
}
