/*
 * Rules of any bytes, and behind a zero a text of maps: they are taken whole or
 * refused with their line, and no rule answers who came by another way.
 */
#include "fuzz.h"

#include "conf/hba.h"

static void check_answer(const HbaRules *r, const HbaRequest *q)
{
	const IdentMap *map;
	HbaMethod method = hba_match(r, q, &map);

	CHECK(method <= HBA_PASSTHROUGH);
	CHECK(method != HBA_PEER || q->client->family == 0);
	CHECK(method != HBA_CERT || (q->tls && q->client->family != 0));
	CHECK(!map || method == HBA_PEER || method == HBA_CERT);
	CHECK(map || ident_allows(map, "u", "u"));
	ident_allows(map, "u", "d");
}

static void ask(const HbaRules *r)
{
	static const ClientAddress clients[] = {
		{.family = 0},
		{.family = 4, .bytes = {10, 0, 0, 1}},
		{.family = 6, .bytes = {[15] = 1}},
	};

	for (int i = 0; i < 24; i++) {
		HbaRequest q = {.client = &clients[i % 3],
				.tls = i % 2,
				.client_cert = i % 4 == 1,
				.replication = i >= 12,
				.database = i % 5 ? "d" : "u",
				.user = "u"};

		check_answer(r, &q);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *hba = text_of_input((Span){data, size}), *ident = NULL;
	size_t n = strlen(hba) + 1;
	Fault why = {0};
	HbaRules *r;

	if (n < size)
		ident = text_of_input((Span){data + n, size - n});
	r = hba_parse("hba", hba, "ident", ident, &why);
	if (r) {
		ask(r);
	} else {
		CHECK(why.code == FAULT_BAD_SETTING);
		CHECK(strncmp(why.detail, "hba:", 4) == 0 || strncmp(why.detail, "ident:", 6) == 0);
	}
	hba_free(r);
	free(ident);
	free(hba);
	return 0;
}
