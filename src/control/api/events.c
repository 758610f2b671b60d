/* Changes of computes, told as they happen. */
#include "../events.h"

#include <string.h>

#include "api.h"
#include "base/text.h"

static bool take_id(const Call *call, const char *name, char out[ID_SIZE], Fault *why)
{
	const char *given = request_query(call->request, name);

	return !given || call_id(given, out) ||
	       fault_set(why, FAULT_BAD_VALUE, "%s is no id", name);
}

/* Whoever is of a project hears of nothing else, and is no proxy that others rely on. */
static bool is_own(const Call *call, EventsFilter *f, Fault *why)
{
	const char *tenant = call_tenant(call);

	if (!*tenant)
		return true;
	if (*f->project_id && strcmp(f->project_id, tenant) != 0)
		return fault_set(why, FAULT_NOT_FOUND, "there is no project \"%s\"", f->project_id);
	f->tenant = true;
	f->proxy_id[0] = 0;
	return text_copy(f->project_id, sizeof(f->project_id), tenant);
}

static bool read_filter(const Call *call, EventsFilter *f, Fault *why)
{
	const char *proxy_id = request_query(call->request, "proxy_id");

	if (proxy_id && !text_copy(f->proxy_id, sizeof(f->proxy_id), proxy_id))
		return fault_set(why, FAULT_BAD_VALUE, "proxy_id must not be longer than %d bytes",
				 EVENTS_NAME_SIZE - 1);
	return take_id(call, "project", f->project_id, why) &&
	       take_id(call, "compute", f->compute_id, why) && is_own(call, f, why);
}

/* Whoever asks with HEAD is told what he would get. */
void api_events(Call *call)
{
	EventsFilter filter = {.proxy_id = ""};
	Fault why;

	if (!read_filter(call, &filter, &why)) {
		call_refuse(call, &why, NULL);
		return;
	}
	if (strcmp(request_method(call->request), "HEAD") == 0)
		request_answer(call->request, 200, "text/event-stream", (Span){NULL, 0});
	else if (!events_listen(&call->c->events, call->request, &filter, &why)) {
		call_problem(call, 503, "too many listeners", why.detail, NULL);
		return;
	}
	call_free(call);
}
