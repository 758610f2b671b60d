#include "title.h"

#include <string.h>

#include "base/text.h"

#define SERVER "postgres: "

/* Of every session: our servers have no other sockets than local ones. */
#define HOST "[local]"

static const char *last_of(const char *text, const char *what)
{
	const char *last = NULL;

	while ((text = strstr(text, what)) != NULL)
		last = text++;
	return last;
}

static Guest guest_at(const char *activity)
{
	static const char *const logging_in[] = {"", "initializing", "authentication", "startup"};

	for (size_t i = 0; i < sizeof(logging_in) / sizeof(*logging_in); i++) {
		if (strcmp(activity, logging_in[i]) == 0)
			return GUEST_ARRIVING;
	}
	return strcmp(activity, "idle") == 0 ? GUEST_IDLE : GUEST_WORKING;
}

static bool serves_a_stranger(const char *name)
{
	return !text_starts(name, CONTROL_ROLE " ") && !text_starts(name, "walsender ");
}

Guest title_guest(const char *title)
{
	const char *name, *host;

	if (!text_starts(title, SERVER))
		return GUEST_ARRIVING; /* still its parent's: it has not read who is coming */
	name = strstr(title + strlen(SERVER), ": ");
	host = last_of(title, HOST);
	if (!name || !host)
		return GUEST_NONE;
	host += strlen(HOST);
	host += strspn(host, " ");
	return serves_a_stranger(name + 2) ? guest_at(host) : GUEST_NONE;
}
