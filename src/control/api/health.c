/* Whether the control plane is alive and able. */
#include "api.h"
#include "base/text.h"
#include "sys/clock.h"

#define STALE_MS 5000 /* whether the store takes writes is then found out again */

void api_health(Call *call)
{
	call_answer(call, 200, json_pack("{s:s}", "status", "ok"));
}

static void answer_not_ready(Call *call, const char *detail)
{
	call_problem(call, 503, "not ready", detail, NULL);
}

/* Without a store that takes writes nothing can be woken. */
static void answer_by_store(Call *call)
{
	if (*call->c->store_trouble)
		answer_not_ready(call, call->c->store_trouble);
	else
		call_answer(call, 200,
			    json_pack("{s:s, s:i}", "status", "ready", "computes",
				      (int)HASH_COUNT(call->c->fleet.units)));
}

static void on_tried(void *arg, const StoreRows *rows, const Fault *why)
{
	Call *call = arg;

	(void)rows;
	text_copy(call->c->store_trouble, sizeof(call->c->store_trouble), why ? why->detail : "");
	answer_by_store(call);
}

/*
 * Requests are let in only when store and driver are open and all computes are known.  Who is
 * in charge has to write; strangers may ask whether he can, so he tries it once in a while.
 */
void api_ready(Call *call)
{
	Controller *c = call->c;
	int64_t now = clock_ms();

	if (c->standing == STANDING_NONE) {
		answer_not_ready(call, "the store does not answer, or is being read");
	} else if (c->standing == STANDING_HELPS || now - c->store_tried_ms < STALE_MS) {
		answer_by_store(call);
	} else {
		c->store_tried_ms = now;
		store_try(c->store, (StoreCall){on_tried, call});
	}
}
