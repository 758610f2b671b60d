#include "exempt.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"

/* ---- adding ------------------------------------------------------------ */

static bool add_name(char names[EXEMPT_MOST][EXEMPT_NAME_SIZE], int *n, const char *what,
		     const char *text, Fault *why)
{
	assert(*n < EXEMPT_MOST);
	if (!*text || !text_copy(names[*n], EXEMPT_NAME_SIZE, text))
		return fault_set(why, FAULT_BAD_VALUE, "%s has 1 to %d bytes, unlike \"%.80s\"",
				 what, EXEMPT_NAME_SIZE - 1, text);
	(*n)++;
	return true;
}

bool exempt_role(Exempt *e, const char *text, Fault *why)
{
	return add_name(e->roles, &e->n_roles, "a role", text, why);
}

bool exempt_application(Exempt *e, const char *text, Fault *why)
{
	const char *star = strchr(text, '*');

	if (star && (star == text || star[1]))
		return fault_set(why, FAULT_BAD_VALUE,
				 "\"%.80s\": a * may only stand at the end, and not alone", text);
	if (!add_name(e->applications, &e->n_applications, "an application name", text, why))
		return false;
	text_printable(e->applications[e->n_applications - 1]);
	return true;
}

bool exempt_network(Exempt *e, const char *text, Fault *why)
{
	Network n;
	int most;

	if (strcmp(text, "local") == 0)
		return e->local = true;
	assert(e->n_networks < EXEMPT_MOST);
	if (!network_parse(&n, text, why)) {
		why->code = FAULT_BAD_VALUE;
		return false;
	}
	most = n.family == 4 ? EXEMPT_BITS_OF_4 : EXEMPT_BITS_OF_6;
	if (n.bits > most)
		return fault_set(why, FAULT_BAD_VALUE,
				 "\"%.80s\" is narrower than /%d, and proxies tell no more than "
				 "that of a client",
				 text, most);
	e->networks[e->n_networks++] = n;
	return true;
}

/* ---- matching ---------------------------------------------------------- */

static bool has_role(const Exempt *e, const char *role)
{
	char told[EXEMPT_NAME_SIZE];

	for (int i = 0; i < e->n_roles; i++) {
		text_copy(told, sizeof(told), e->roles[i]);
		text_printable(told);
		if (strcmp(told, role) == 0 || strcmp(e->roles[i], role) == 0)
			return true;
	}
	return false;
}

static bool fits(const char *pattern, const char *text)
{
	const char *star = strchr(pattern, '*');

	if (star)
		return strncmp(pattern, text, (size_t)(star - pattern)) == 0;
	return strcmp(pattern, text) == 0;
}

static bool has_application(const Exempt *e, const char *application)
{
	for (int i = 0; i < e->n_applications; i++) {
		if (fits(e->applications[i], application))
			return true;
	}
	return false;
}

/* All of theirs must be in one of ours. */
static bool has_network(const Exempt *e, const char *text)
{
	ClientAddress first = {0};
	Network theirs;
	Fault why;

	if (strcmp(text, "local") == 0)
		return e->local;
	if (e->n_networks == 0 || !network_parse(&theirs, text, &why))
		return false;
	first.family = theirs.family;
	memcpy(first.bytes, theirs.bytes, sizeof(first.bytes));
	for (int i = 0; i < e->n_networks; i++) {
		if (e->networks[i].bits <= theirs.bits && network_has(&e->networks[i], &first))
			return true;
	}
	return false;
}

bool exempt_has(const Exempt *e, const Who *who)
{
	return has_role(e, who->role) || has_application(e, who->application) ||
	       has_network(e, who->network);
}

/* ---- for the server ---------------------------------------------------- */

static json_t *pattern_of(const char *text)
{
	char like[2 * EXEMPT_NAME_SIZE];
	size_t n = 0;

	for (; *text; text++) {
		if (strchr("\\%_", *text))
			like[n++] = '\\';
		like[n++] = *text;
		if (*text == '*')
			like[n - 1] = '%';
	}
	return json_stringn(like, n);
}

char *exempt_parameter(const Exempt *e)
{
	json_t *roles = json_array(), *applications = json_array();
	json_t *all = json_pack("{s:o, s:o}", "roles", roles, "applications", applications);
	char *text;

	for (int i = 0; i < e->n_roles; i++)
		json_array_append_new(roles, json_string(e->roles[i]));
	for (int i = 0; i < e->n_applications; i++)
		json_array_append_new(applications, pattern_of(e->applications[i]));
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
}
