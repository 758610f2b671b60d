#include "neon.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS 1000

bool neon_knows(const Route *route)
{
	return strstr(route->query, "endpointish!") || strstr(route->path, "/jwks");
}

/* What a refusal without a word of its own is to them, and what they should try again. */
static const struct Meaning {
	int status;
	const char *reason, *instead;
	int retry_ms;
} meanings[] = {
	{404, NULL, "ENDPOINT_NOT_FOUND", 0},
	{423, NULL, "RUNNING_OPERATIONS", RETRY_MS},
	{429, NULL, "RATE_LIMIT_EXCEEDED", 0},
	{503, NULL, "RUNNING_OPERATIONS", RETRY_MS},
	{503, "RUNNING_OPERATIONS", "RUNNING_OPERATIONS", RETRY_MS},
	{504, "START_TIMEOUT", "RUNNING_OPERATIONS", RETRY_MS},
};

static const struct Meaning *meaning_of(int status, const char *reason)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		const struct Meaning *m = &meanings[i];

		if (m->status == status &&
		    (m->reason ? reason && strcmp(m->reason, reason) == 0 : !reason))
			return m;
	}
	return NULL;
}

static json_t *details_of(const struct Meaning *m, const char *detail, const char *reason)
{
	const char *word = m ? m->instead : reason;
	json_t *details = json_object();

	if (word)
		json_object_set_new(details, "error_info", json_pack("{s:s}", "reason", word));
	if (m && m->retry_ms > 0)
		json_object_set_new(details, "retry_info",
				    json_pack("{s:i}", "retry_delay_ms", m->retry_ms));
	json_object_set_new(details, "user_facing_message", json_pack("{s:s}", "message", detail));
	return details;
}

void neon_explain(json_t *problem, int status, const char *detail, const char *reason)
{
	json_t *text = json_string(detail); /* NULL if it is not UTF-8 */
	const char *said = text ? detail : "no words for it";
	char code[8];

	snprintf(code, sizeof(code), "%d", status);
	json_object_set_new(problem, "error", json_string(said));
	json_object_set_new(problem, "status",
			    json_pack("{s:s, s:s, s:o}", "code", code, "message", said, "details",
				      details_of(meaning_of(status, reason), said, reason)));
	json_decref(text);
}
