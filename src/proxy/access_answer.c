#include "access_answer.h"

#include <jansson.h>
#include <limits.h>

#include "base/text.h"

#define NETWORKS_TEXT_MAX 8192

static bool not_understood(Fault *why, const char *what)
{
	fault_set(why, FAULT_CONTROL_PLANE,
		  "the control plane's answer about who may connect is not what it should be");
	return fault_cause(why, "%s", what);
}

/* The list as the settings write one: with commas between. */
static bool read_networks(const json_t *list, NetworkList *out, Fault *why)
{
	char text[NETWORKS_TEXT_MAX] = "";
	size_t i, n = 0;
	const json_t *one;
	Fault inner;

	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return not_understood(why, "allowed_ips is no list");
	json_array_foreach(list, i, one)
	{
		const char *word = json_string_value(one);

		if (!word || !*word || strchr(word, ',') || strlen(word) + 2 > sizeof(text) - n)
			return not_understood(why, "allowed_ips has an entry that is no network");
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "," : "", word);
	}
	return network_list_parse(out, text, &inner) || not_understood(why, inner.detail);
}

static int read_limit(const json_t *limits, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(limits, name));

	return n < 0 || n > INT_MAX ? 0 : (int)n;
}

static bool read_answer(const json_t *json, AccessAnswer *out, Fault *why)
{
	const char *secret = json_string_value(json_object_get(json, "role_secret"));
	const json_t *limits = json_object_get(
		json_object_get(json_object_get(json, "rate_limits"), "connection_attempts"),
		"tcp");

	if (!json_is_object(json))
		return not_understood(why, "it is not a JSON object");
	if (!text_copy(out->secret, sizeof(out->secret), secret ? secret : ""))
		return not_understood(why, "the secret is too long");
	out->connect_rate = read_limit(limits, "rps");
	out->connect_burst = read_limit(limits, "burst");
	return read_networks(json_object_get(json, "allowed_ips"), &out->networks, why);
}

bool access_judge(const FetchAnswer *fetched, const char *compute, AccessAnswer *out, Fault *why)
{
	json_t *json;
	bool ok;

	*out = (AccessAnswer){0};
	if (fetched->status == 404)
		return fault_set(why, FAULT_NO_ROUTE, "there is no compute \"%s\"", compute);
	if (fetched->status != 200) {
		fault_set(why, FAULT_CONTROL_PLANE,
			  "the control plane could not be asked who may connect to compute \"%s\"",
			  compute);
		return fetched->status ? fault_cause(why, "HTTP %d", fetched->status)
				       : fault_cause(why, "%s", fetched->error);
	}
	json = json_loadb((const char *)fetched->body.at, fetched->body.n, 0, NULL);
	ok = read_answer(json, out, why);
	json_decref(json);
	return ok;
}
