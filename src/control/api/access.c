/*
 * Who may connect to a compute: what a proxy asks before it lets a client prove who
 * it is (the contract is Neon's, get_endpoint_access_control).
 *
 * Answered from memory: a stranger who only tries names wakes nothing, changes
 * nothing and writes nothing.  A role that there is not has an empty secret, which
 * the proxy makes up for, so that nobody learns which roles there are.
 */
#include <string.h>

#include "api.h"

/* What ALTER ROLE makes of it only the server knows. */
static const char *secret_of(const Unit *u, const char *role)
{
	return roster_has_role(&u->roster, role) ? roster_role(&u->roster, role)->verifier : "";
}

static json_t *rate_limit(const ProjectSettings *s)
{
	if (s->connect_rate == 0)
		return json_null();
	return json_pack("{s:i, s:i}", "rps", s->connect_rate, "burst", s->connect_burst);
}

static json_t *json_of_access(const Call *call, const Unit *u, const char *role)
{
	const Compute *c = &u->compute;
	const Project *project = fleet_project(&call->c->fleet, c->project_id);
	ProjectSettings settings = fleet_settings(&call->c->fleet, c->project_id);

	return json_pack("{s:s, s:s, s:n, s:o, s:n, s:n, s:n, s:{s:{s:o}}}", "role_secret",
			 secret_of(u, role), "project_id", c->project_id, "account_id",
			 "allowed_ips", settings_allowed_ips(project ? project->config : "{}"),
			 "allowed_vpc_endpoint_ids", "block_public_connections",
			 "block_vpc_connections", "rate_limits", "connection_attempts", "tcp",
			 rate_limit(&settings));
}

void api_access_control(Call *call)
{
	const char *role = request_query(call->request, "role");
	const Unit *u;

	if (!role) {
		call_problem(call, 400, "bad request", "role is missing", NULL);
		return;
	}
	u = call_endpoint(call);
	if (u)
		call_answer(call, 200, json_of_access(call, u, role));
}

void api_jwks(Call *call)
{
	if (call_endpoint(call))
		call_answer(call, 200, json_pack("{s:[]}", "jwks"));
}
