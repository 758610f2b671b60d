/*
 * admit: is there room for one more?
 *
 * The slot in shared memory is the admission: there are as many as clients are
 * allowed, over all workers.  It also makes the secret with which the client can
 * cancel, and shows the session to SHOW and to the monitor.
 */
#include "base/text.h"
#include "phases.h"
#include "sys/random.h"
#include "worker.h"

#define OUR_SECRET_SIZE 4 /* as protocol 3.0 has it */

static void copy_name(char *to, const Startup *s, const char *name)
{
	const char *value = startup_get(s, name);

	text_copy(to, NAME_SIZE, value ? value : "");
	text_printable(to);
}

static void fill_slot(Session *s)
{
	Arrival *a = s->arrival;
	const Startup *startup = &a->hello.startup;
	SlotInfo info = {.session_id = s->id, .since_us = s->since_us};

	random_bytes(a->login.ours.secret, OUR_SECRET_SIZE);
	a->login.ours.secret_size = OUR_SECRET_SIZE;
	text_copy(info.compute, sizeof(info.compute), a->compute);
	copy_name(info.user, startup, "user");
	copy_name(info.database, startup, "database");
	copy_name(info.application_name, startup, "application_name");
	text_copy(info.client, sizeof(info.client), a->client);
	session_publish(s, &info);
}

void phase_admit_enter(Session *s)
{
	Worker *w = s->worker;
	Fault why;

	s->slot = slot_claim(w->shared, w->claimer, &w->slot_hint);
	if (s->slot == SLOT_NONE) {
		fault_set(&why, FAULT_LIMIT, "no more connections allowed (max_client_conn)");
		session_refuse(s, &why);
		return;
	}
	fill_slot(s);
	session_advance(s, s->arrival->database->wake ? PHASE_wake : PHASE_dial);
}

void phase_admit_event(Session *s, Event e)
{
	(void)s, (void)e;
}

void phase_admit_leave(Session *s)
{
	(void)s;
}
