/* The config of a project, of any JSON, and what its hours and exceptions come to. */
#include "fuzz.h"

#include "src/control/schedule.h"
#include "src/control/settings.h"

#define NOW_US INT64_C(1795280400123456) /* 2026-11-21 */

static void check_hours(const Hours *h)
{
	CHECK(h->days > 0 && h->days <= 0x7f);
	CHECK(h->from >= 0 && h->from < DAY_MINUTES);
	CHECK(h->to >= 0 && h->to <= DAY_MINUTES && h->to != h->from);
}

/* What passed keeps its promises to those who read it. */
static void check_settings(const ProjectSettings *s)
{
	Schedule schedule = schedule_at(s, NOW_US);

	CHECK(s->min_size >= 1 && s->min_size <= s->max_size);
	CHECK(s->idle_timeout_ms >= -1 && s->freeze_after_ms >= -1);
	CHECK(s->exempt.n_roles <= EXEMPT_MOST && s->exempt.n_applications <= EXEMPT_MOST &&
	      s->exempt.n_networks <= EXEMPT_MOST);
	for (int i = 0; i < s->n_keep_warm; i++)
		check_hours(&s->keep_warm[i]);
	CHECK(schedule.change_in_ms >= 0 && schedule.wake_in_ms >= -1);
	CHECK((schedule.change_in_ms > 0) == (s->n_keep_warm > 0));
	CHECK(!schedule.warm || s->n_keep_warm > 0);
}

static void check_exempt(const Exempt *e)
{
	char *text = exempt_parameter(e);

	CHECK(text);
	free(text);
	for (int i = 0; i < e->n_roles; i++)
		CHECK(exempt_has(e, &(Who){e->roles[i], "", ""}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *config = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
	Fault why = {0};

	if (config && settings_check(SETTINGS_OF_PROJECT, config, &why)) {
		char *kept = json_dumps(config, JSON_COMPACT);
		ProjectSettings s = settings_of_project(kept);

		check_settings(&s);
		check_exempt(&s.exempt);
		free(kept);
	} else if (config) {
		CHECK(why.code == FAULT_BAD_VALUE && *why.detail);
	}
	json_decref(config);
	return 0;
}
