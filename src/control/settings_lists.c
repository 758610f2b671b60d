#include "settings_lists.h"

#include <string.h>

typedef bool (*TextReader)(Exempt *e, const char *text, Fault *why);

static bool add_text(Exempt *e, TextReader add, const json_t *item, Fault *why)
{
	const char *text = json_string_value(item);

	return text ? add(e, text, why) : fault_set(why, FAULT_BAD_VALUE, "it must be a text");
}

bool settings_add_role(ProjectSettings *s, const json_t *item, Fault *why)
{
	return add_text(&s->exempt, exempt_role, item, why);
}

bool settings_add_application(ProjectSettings *s, const json_t *item, Fault *why)
{
	return add_text(&s->exempt, exempt_application, item, why);
}

bool settings_add_network(ProjectSettings *s, const json_t *item, Fault *why)
{
	return add_text(&s->exempt, exempt_network, item, why);
}

/* ---- running hours ----------------------------------------------------- */

static bool knows_members(const json_t *item, Fault *why)
{
	static const char *const known[] = {"days", "from", "to", "timezone"};
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)item, name, value)
	{
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], name) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return fault_set(why, FAULT_BAD_VALUE, "\"%.60s\" is not known", name);
		if (!json_is_string(value))
			return fault_set(why, FAULT_BAD_VALUE, "\"%s\" must be a text", name);
	}
	return true;
}

static const char *text_or(const json_t *item, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(item, name));

	return text ? text : otherwise;
}

bool settings_add_hours(ProjectSettings *s, const json_t *item, Fault *why)
{
	if (!json_is_object(item))
		return fault_set(why, FAULT_BAD_VALUE,
				 "it must be an object with \"days\", \"from\", \"to\" and "
				 "\"timezone\"");
	return knows_members(item, why) &&
	       hours_parse(&s->keep_warm[s->n_keep_warm++], text_or(item, "days", "daily"),
			   text_or(item, "from", ""), text_or(item, "to", ""),
			   text_or(item, "timezone", "UTC"), why);
}

bool settings_add_time(ProjectSettings *s, const json_t *item, Fault *why)
{
	const char *text = json_string_value(item);

	if (!text)
		return fault_set(why, FAULT_BAD_VALUE, "it must be a text");
	return wake_at_parse(&s->wake_at[s->n_wake_at++], text, why);
}
