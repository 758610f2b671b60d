/* A connection string of [databases], of any bytes. */
#include "fuzz.h"

#include "conf/database.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of_input((Span){data, size});
	Database d = {.name = "d"};
	Fault why = {0};

	if (database_parse(&d, text, &why)) {
		CHECK(d.wake == (d.n_hosts == 0));
		CHECK(d.port >= 1 && d.port <= 65535);
		for (int i = 0; i < d.n_hosts; i++)
			CHECK(*d.hosts[i]);
	} else {
		CHECK(why.code == FAULT_BAD_SETTING && *why.detail);
	}
	database_free(&d);
	free(text);
	return 0;
}
