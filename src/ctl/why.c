#include "why.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "request.h"
#include "show.h"

#define DAY_S           86400
#define LAST_OPERATIONS "10"

static const char operation_columns[] = "AT=at FROM=from TO=to REASON=reason";

/* What the control plane knows of one compute, of three answers. */
typedef struct Known {
	json_t *compute, *operations, *causes;
} Known;

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* ---- asking -------------------------------------------------------------- */

static bool ask_operations(Known *k, const Setup *setup, Fault *why)
{
	char path[300];
	json_t *answer;
	bool ok;

	snprintf(path, sizeof(path), "/api/v1/compute/%s/operations?limit=" LAST_OPERATIONS,
		 text_at(k->compute, "id"));
	ok = request_get(setup, path, &answer, why);
	k->operations = json_incref(json_object_get(answer, "operations"));
	json_decref(answer);
	return ok;
}

/* Of all that kept its project's computes awake. */
static bool ask_causes(Known *k, const Setup *setup, Fault *why)
{
	char path[300];
	json_t *answer, *cause;
	size_t i;
	bool ok;

	snprintf(path, sizeof(path), "/api/v1/projects/%s/usage?from=%lld",
		 text_at(k->compute, "project_id"), (long long)time(NULL) - DAY_S);
	ok = request_get(setup, path, &answer, why);
	k->causes = json_array();
	json_array_foreach(json_object_get(answer, "awake_causes"), i, cause)
	{
		if (strcmp(text_at(cause, "compute_id"), text_at(k->compute, "id")) == 0)
			json_array_append(k->causes, cause);
	}
	json_decref(answer);
	return ok;
}

/* ---- showing ------------------------------------------------------------- */

static void print_now(const Known *k)
{
	json_t *load = json_object_get(k->compute, "load");
	char *id = show_text(json_object_get(k->compute, "id"));
	char *state = show_text(json_object_get(k->compute, "state"));
	char *kept = show_text(json_object_get(load, "kept_awake_by"));

	printf("%s is %s", id, state);
	if (strcmp(text_at(k->compute, "state"), "active") == 0)
		printf("%s%s", strcmp(kept, "-") == 0 ? ", and nothing keeps it so" : ": ",
		       strcmp(kept, "-") == 0 ? "" : kept);
	putchar('\n');
	free(kept);
	free(state);
	free(id);
}

static void print(const Call *call, const Known *k)
{
	print_now(k);
	if (json_array_size(k->causes) > 0) {
		puts("\nin the last day it was kept awake by:");
		show_table(stdout, k->causes, call->command->columns);
	}
	puts("\nits last operations:");
	show_table(stdout, k->operations, operation_columns);
}

static void print_json(const Known *k)
{
	json_t *all = json_pack("{s:O, s:O, s:O}", "compute", k->compute, "awake_causes", k->causes,
				"operations", k->operations);

	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

bool why_run(const Call *call, const Setup *setup, Fault *why)
{
	Known k = {.compute = NULL};
	bool ok = request_answer(call, setup, &k.compute, why) && ask_operations(&k, setup, why) &&
		  ask_causes(&k, setup, why);

	if (ok && call->json)
		print_json(&k);
	else if (ok)
		print(call, &k);
	json_decref(k.compute);
	json_decref(k.operations);
	json_decref(k.causes);
	return ok;
}
