#include "identifier.h"

#include <string.h>

#include "../record.h"
#include "base/text.h"

static bool is_printable(const char *name)
{
	for (; *name; name++) {
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			return false;
	}
	return true;
}

static bool check(const char *name, Fault *why)
{
	size_t n = strlen(name);

	if (n == 0 || n >= ID_SIZE)
		return fault_set(why, FAULT_BAD_VALUE, "name must be a text of 1 to %d bytes",
				 ID_SIZE - 1);
	return is_printable(name) ||
	       fault_set(why, FAULT_BAD_VALUE, "name must not hold control characters");
}

static bool is_taken(const char *name, Fault *why)
{
	fault_set(why, FAULT_BAD_VALUE, "the name \"%s\" is kept for the server itself", name);
	return true;
}

bool identifier_of_role(const char *name, Fault *why)
{
	static const char *const taken[] = {"postgres", "reveille_control", "public", "none"};

	if (!check(name, why))
		return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(taken[i], name) == 0)
			return !is_taken(name, why);
	}
	return !text_starts(name, "pg_") || !is_taken(name, why);
}

bool identifier_of_database(const char *name, Fault *why)
{
	static const char *const taken[] = {"postgres", "template0", "template1"};

	if (!check(name, why))
		return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(taken[i], name) == 0)
			return !is_taken(name, why);
	}
	return true;
}
