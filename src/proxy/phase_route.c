/*
 * route: the name that the client said becomes a compute.
 */
#include "base/mem.h"
#include "base/text.h"
#include "phases.h"
#include "routing.h"
#include "sys/clock.h"

/* As the server reads it, abbreviated or not; replication=database is a session like others. */
static bool is_true(const char *word)
{
	static const char *const words[] = {"true", "on", "yes", "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (*word && strncasecmp(word, words[i], strlen(word)) == 0)
			return true;
	}
	return false;
}

/* Who the client says it is, before the entry makes another of it towards the compute. */
static void routed(Session *s)
{
	Arrival *a = s->arrival;
	Startup *startup = &a->hello.startup;
	const char *replication = startup_get(startup, "replication");
	Fault why;

	a->user = mem_text(startup_get(startup, "user"));
	a->replication = replication && is_true(replication);
	if (routing_apply(s->conf, a->database, a->client, startup, &why))
		session_advance(s, PHASE_admit);
	else
		session_refuse(s, &why);
}

void phase_route_enter(Session *s)
{
	Arrival *a = s->arrival;
	Fault why;

	a->routed_us = clock_us();
	if (routing_find(s->conf, s->proto->name, a->server_name, &a->hello.startup, a->compute,
			 sizeof(a->compute), &a->database, &why))
		routed(s);
	else
		session_refuse(s, &why);
}

void phase_route_event(Session *s, Event e)
{
	(void)s, (void)e;
}

void phase_route_leave(Session *s)
{
	(void)s;
}
