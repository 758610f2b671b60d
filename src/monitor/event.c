#include "event.h"

#include <jansson.h>

#include "base/text.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static bool read_compute(const json_t *json, char out[ROUTE_NAME_SIZE], Fault *why)
{
	return (text_copy(out, ROUTE_NAME_SIZE, text_of(json, "compute_id")) &&
		text_is_label(out)) ||
	       fault_set(why, FAULT_BAD_MESSAGE, "an event's compute_id is none");
}

/* An address that is too long for a route is none that could have been learnt. */
static bool read_members(const json_t *json, ComputeEvent *out, Fault *why)
{
	json_int_t generation = json_integer_value(json_object_get(json, "generation"));

	if (!read_compute(json, out->compute, why))
		return false;
	if (generation < 0 || (uint64_t)generation > NEWS_GENERATION_MAX)
		return fault_set(why, FAULT_BAD_MESSAGE, "an event's generation is none");
	out->generation = (uint64_t)generation;
	if (!text_copy(out->address, sizeof(out->address), text_of(json, "address")))
		*out->address = 0;
	text_copy(out->state, sizeof(out->state), text_of(json, "state"));
	text_printable(out->state);
	if (!news_kind_of(out->state, &out->kind))
		out->kind = NEWS_NONE;
	return true;
}

bool event_read(Span data, ComputeEvent *out, Fault *why)
{
	json_t *json = json_loadb((const char *)data.at, data.n, 0, NULL);
	bool good;

	*out = (ComputeEvent){.kind = NEWS_NONE};
	good = json_is_object(json)
		       ? read_members(json, out, why)
		       : fault_set(why, FAULT_BAD_MESSAGE, "an event is not a JSON object");
	json_decref(json);
	return good;
}

bool event_read_access(Span data, char compute[ROUTE_NAME_SIZE], Fault *why)
{
	json_t *json = json_loadb((const char *)data.at, data.n, 0, NULL);
	bool good = json_is_object(json)
			    ? read_compute(json, compute, why)
			    : fault_set(why, FAULT_BAD_MESSAGE, "an event is not a JSON object");

	json_decref(json);
	return good;
}
