#include "body.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

bool body_text(const json_t *object, const char *name, const char *otherwise, const char **value,
	       Fault *why)
{
	const json_t *member = json_object_get(object, name);

	*value = otherwise;
	if (!member || json_is_null(member))
		return true;
	*value = json_string_value(member);
	if (!*value)
		return fault_set(why, FAULT_BAD_VALUE, "%s must be a text", name);
	return true;
}

bool body_int(const json_t *object, const char *name, int64_t least, int64_t most, int64_t *value,
	      Fault *why)
{
	const json_t *member = json_object_get(object, name);
	int64_t number = json_integer_value(member);

	if (!member)
		return true;
	if (!json_is_integer(member) || number < least || number > most)
		return fault_set(why, FAULT_BAD_VALUE, "%s must be a number, %lld to %lld", name,
				 (long long)least, (long long)most);
	*value = number;
	return true;
}

bool body_name(const Call *call, char *out, size_t size, Fault *why)
{
	const char *name;

	if (!body_text(call->body, "name", NULL, &name, why))
		return false;
	if (!name || !*name || !text_copy(out, size, name))
		return fault_set(why, FAULT_BAD_VALUE, "name must be a text of 1 to %zu bytes",
				 size - 1);
	return true;
}

bool body_size(const Call *call, int *size, Fault *why)
{
	const json_t *units = json_object_get(call->body, "size");

	*size = json_is_number(units) ? settings_cpu(units) : -1;
	return *size > 0 || fault_set(why, FAULT_BAD_VALUE,
				      "size must be a number of compute units, 0.001 to 1024");
}

bool body_config(const Call *call, SettingsOf of, const char *before, char out[CONFIG_SIZE],
		 Fault *why)
{
	const json_t *changes = json_object_get(call->body, "config");
	json_t *config = json_is_object(changes) ? settings_merge(before, changes)
						 : json_loads(before, 0, NULL);
	char *text = json_dumps(config, JSON_COMPACT);
	bool good;

	if (changes && !json_is_object(changes))
		good = fault_set(why, FAULT_BAD_VALUE, "config must be an object");
	else
		good = settings_check(of, config, why);
	if (good && !text_copy(out, CONFIG_SIZE, text))
		good = fault_set(why, FAULT_BAD_VALUE, "config must not be longer than %d bytes",
				 CONFIG_SIZE - 1);
	free(text);
	json_decref(config);
	return good;
}
