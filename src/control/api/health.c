/* Whether the control plane is alive and able. */
#include "api.h"

void api_health(Call *call)
{
	call_answer(call, 200, json_pack("{s:s}", "status", "ok"));
}

/* Requests are let in only when store and driver are open and all computes are known. */
void api_ready(Call *call)
{
	if (call->c->standing == STANDING_NONE) {
		call_problem(call, 503, "not ready", "the store does not answer, or is being read",
			     NULL);
		return;
	}
	call_answer(call, 200,
		    json_pack("{s:s, s:i}", "status", "ready", "computes",
			      (int)HASH_COUNT(call->c->fleet.units)));
}
