#include "wake_answer.h"

#include <jansson.h>

#include "base/text.h"
#include "sys/address.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_FACTOR   1.6
#define BACKOFF_MOST_MS  5000

int64_t wake_backoff_ms(int n, double jitter)
{
	double ms = BACKOFF_FIRST_MS;

	for (int i = 1; i < n && ms < BACKOFF_MOST_MS; i++)
		ms *= BACKOFF_FACTOR;
	if (ms > BACKOFF_MOST_MS)
		ms = BACKOFF_MOST_MS;
	/* From three quarters to the whole, so that proxies do not march in step. */
	return (int64_t)(ms * (0.75 + 0.25 * jitter));
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static WakeDepth depth_of(const char *word)
{
	if (strcmp(word, "cold") == 0)
		return DEPTH_COLD;
	if (strcmp(word, "frozen") == 0)
		return DEPTH_FROZEN;
	return DEPTH_WARM;
}

static WakeVerdict not_understood(RouteAnswer *answer, const char *what)
{
	fault_set(&answer->fault, FAULT_WAKE_FAILED,
		  "the control plane's answer is not what it should be");
	fault_cause(&answer->fault, "%s", what);
	return WAKE_FAILED;
}

static WakeVerdict read_address(const json_t *json, RouteAnswer *answer)
{
	const char *address = text_of(json, "address");
	char host[ROUTE_ADDRESS_SIZE];
	int port;

	if (!*address)
		return not_understood(answer, "it has no address");
	if (strlen(address) >= sizeof(answer->address) ||
	    !address_split(address, host, sizeof(host), &port) || strpbrk(address, " \t\r\n"))
		return not_understood(answer, "the address is neither host:port nor a path");
	if (!text_copy(answer->server_name, sizeof(answer->server_name),
		       text_of(json, "server_name")) ||
	    strspn(answer->server_name, NAME_CHARACTERS) != strlen(answer->server_name))
		return not_understood(answer, "the server name is no DNS name");
	text_copy(answer->address, sizeof(answer->address), address);
	answer->generation = (uint64_t)json_integer_value(json_object_get(json, "generation"));
	answer->depth = depth_of(text_of(json, "cold_start_info"));
	return WAKE_OK;
}

static WakeVerdict judge_ok(const FetchAnswer *fetched, RouteAnswer *answer)
{
	json_t *json = json_loadb((const char *)fetched->body.at, fetched->body.n, 0, NULL);
	WakeVerdict verdict = json_is_object(json)
				      ? read_address(json, answer)
				      : not_understood(answer, "it is not a JSON object");

	json_decref(json);
	return verdict;
}

/* What a problem document (RFC 9457) says, cut and cleaned: a client and the log may read it. */
typedef struct Problem {
	char reason[64], detail[200], hint[160];
} Problem;

static void take_text(char *out, size_t size, const json_t *json, const char *name)
{
	text_copy(out, size, text_of(json, name));
	text_printable(out);
}

/* All empty if that is not what the body is. */
static void read_problem(const FetchAnswer *fetched, Problem *out)
{
	json_t *json = json_loadb((const char *)fetched->body.at, fetched->body.n, 0, NULL);

	take_text(out->reason, sizeof(out->reason), json, "reason");
	take_text(out->detail, sizeof(out->detail), json, "detail");
	take_text(out->hint, sizeof(out->hint), json, "hint");
	json_decref(json);
}

static WakeVerdict judge_forbidden(Fault *fault, int status, const char *compute,
				   const Problem *problem)
{
	bool used_up = strstr(problem->reason, "_EXCEEDED");

	if (used_up || strcmp(problem->reason, "ENDPOINT_DISABLED") == 0) {
		fault_set(fault, FAULT_QUOTA, "compute \"%s\" may not run: %s", compute,
			  used_up ? "its quota is used up" : "it is disabled");
		fault_figures(fault, "%s", problem->detail);
		fault_hint(fault, "%s", problem->hint);
	} else if (strcmp(problem->reason, "CONCURRENCY_LIMIT_REACHED") == 0) {
		fault_set(fault, FAULT_LIMIT, "compute \"%s\": %s", compute, problem->detail);
		fault_hint(fault, "%s", problem->hint);
	} else {
		fault_set(fault, FAULT_MISCONFIGURED,
			  "the control plane does not let this proxy wake computes (HTTP %d); its "
			  "token has to be set with token_file",
			  status);
	}
	return WAKE_FAILED;
}

static bool is_worth_a_retry(int status)
{
	return status == 423 || status == 429 || (status >= 500 && status < 600);
}

static WakeVerdict judge_problem(const FetchAnswer *fetched, const char *compute, Fault *fault)
{
	Problem problem;

	read_problem(fetched, &problem);
	if (fetched->status == 404) {
		fault_set(fault, FAULT_NO_ROUTE, "there is no compute \"%s\"", compute);
		return WAKE_FAILED;
	}
	if (fetched->status == 401 || fetched->status == 403)
		return judge_forbidden(fault, fetched->status, compute, &problem);
	/* The detail may tell of the server's files and log: nothing for a stranger. */
	fault_set(fault, FAULT_WAKE_FAILED,
		  "compute \"%s\" could not be woken (HTTP %d from the control plane)", compute,
		  fetched->status);
	fault_cause(fault, "%s", problem.detail);
	return is_worth_a_retry(fetched->status) ? WAKE_RETRY : WAKE_FAILED;
}

WakeVerdict wake_judge(const FetchAnswer *fetched, const char *compute, RouteAnswer *answer)
{
	if (fetched->too_large)
		return not_understood(answer, fetched->error);
	if (fetched->status == 0) {
		fault_set(&answer->fault, FAULT_CONTROL_PLANE,
			  "the control plane could not be asked to wake compute \"%s\"", compute);
		fault_cause(&answer->fault, "%s", fetched->error);
		return WAKE_RETRY;
	}
	if (fetched->status == 200)
		return judge_ok(fetched, answer);
	return judge_problem(fetched, compute, &answer->fault);
}
