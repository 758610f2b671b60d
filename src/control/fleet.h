/*
 * All computes and projects, by id, as this process knows them.
 *
 * A Unit is one compute: its record as the store has it, its driver's instance,
 * what is wished of it and who waits for it.
 */
#ifndef CONTROL_FLEET_H
#define CONTROL_FLEET_H

#include <sys/queue.h>
#include <uthash.h>

#include "activity.h"
#include "allowance.h"
#include "driver/driver.h"
#include "gate.h"
#include "lifecycle.h"
#include "probe.h"
#include "record.h"
#include "roster.h"
#include "settings.h"
#include "sizing.h"
#include "tab.h"

typedef struct Waiter Waiter;
typedef struct Provision Provision;

struct Unit {
	Controller *controller;
	Compute compute;
	Instance *instance;
	Activity activity;
	int64_t said_ms, said_us; /* when it was last used, and how that is said: always the same */

	/* Wishes, until they are fulfilled. */
	bool wanted, unwanted, unneeded, doomed;
	char reason[REASON_SIZE]; /* of the last wish */
	LIST_HEAD(, Waiter) waiters;

	/* What it runs up (ledger.c, storage.c). */
	Tab tab;
	bool refused;       /* it may not be awake, since a quota is used up */
	int64_t bytes;      /* on disk when it was last measured; -1: not known */
	int64_t weighed_ms; /* when that was begun */
	bool to_be_weighed, weighing;
	Traffic told; /* what a proxy told last of its bytes, as the store has it */

	/* What is being done. */
	bool busy;          /* store or driver has not answered yet */
	int unwritten;      /* how often in a row the store did not take a change */
	bool observed;      /* its server is known to be alive */
	bool runs;          /* and not frozen */
	bool cannot_freeze; /* it was tried in vain with this server */
	bool woken_by_deaf; /* this server, by a proxy of a kind that hears no events */
	bool drained;
	int64_t since_ms;     /* when it reached its state, on the clock that never jumps */
	bool woken_as_favour; /* to that state, for somebody who is exempt */
	int64_t favour_ms, favour_start_ms; /* when it last was; and started, too */

	/* The scheduler's own (idle.c). */
	Probe *idle_probe;
	Timer look;
	bool chill_asked; /* somebody waits for it to be frozen */
	int64_t chill_asked_ms;
	int64_t checkpointed_ms;
	int64_t would_since_ms;  /* since when it would sleep, were it not a dry run; or 0 */
	int64_t wake_due_ms;     /* when it is to be awake next, or 0 */
	ServerFacts server_said; /* when it was last asked */
	bool was_cold;           /* it was out of its running hours at the last look */

	Sizing sizing;
	/* What its server is to know of (provision.c). */
	Roster roster;
	Provision *provision; /* it is being told, or NULL */
	Timer provision_again;
	Sight sight; /* of the server that is told before it is called active */

	int64_t drain_since_ms;
	Timer drain, retry;
	Ticket ticket;
	UT_hash_handle hh;
};

struct ProjectEntry {
	Project project;
	ProjectSettings settings; /* of its config */
	Allowance allowance;
	UT_hash_handle hh;
};

/* A deleted project, of whose last hours its webhook is still to hear. */
typedef struct Departed {
	char project_id[ID_SIZE];
	char webhook_url[SETTINGS_URL_SIZE];
	int64_t at_ms;
	LIST_ENTRY(Departed) link;
} Departed;

typedef struct Fleet {
	LIST_HEAD(, Departed) departed;
	Unit *units;
	ProjectEntry *projects;
} Fleet;

Unit *fleet_add(Controller *c, const Compute *compute);
void fleet_remove(Unit *u); /* at the end of the turn */

/* By a compute's id, or by a project's: then its oldest compute. NULL if there is none. */
Unit *fleet_find(const Fleet *f, const char *id);
Unit *fleet_compute(const Fleet *f, const char *id);

/* Remembers what a project wants of its computes. */
void fleet_set_project(Fleet *f, const Project *p);
void fleet_forget_project(Fleet *f, const char *id);

/* Where a project wants letters, "" for nowhere; also if it was deleted since the last sweep. */
const char *fleet_webhook(const Fleet *f, const char *project_id);
void fleet_sweep_departed(Fleet *f, int64_t before_ms);

const Project *fleet_project(const Fleet *f, const char *id); /* or NULL */
ProjectEntry *fleet_entry(const Fleet *f, const char *id);    /* or NULL */
ProjectSettings fleet_settings(const Fleet *f, const char *project_id);

/* When it was last used, in microseconds since 1970. */
int64_t unit_last_activity(Unit *u);
bool unit_is_serving(const Unit *u); /* active, and its server is alive */
bool unit_is_up(const Unit *u);      /* that, or frozen: its server is there */

/* It is being started or thawed: for somebody who counts, or as a favour. */
void unit_note_wake(Unit *u);

bool unit_is_sized(const Unit *u); /* as it is to be, and its server, if it runs, knows */

/* Whether its project says that such a client keeps nothing awake. */
bool fleet_is_exempt(const Unit *u, const Cause *who);

/* Whether all proxies that have sessions on it hear of its changes as they happen. */
bool fleet_proxies_hear(const Unit *u);

#endif
