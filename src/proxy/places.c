#include "places.h"

#include "worker.h"

/*
 * Clients are refused when there are too many; who would make a connection to a
 * compute beyond its number waits, as in PgBouncer.
 */
static const struct Place {
	const char *setting, *whose;
	bool waits;
} table[TALLY_KINDS] = {
	[TALLY_DB_CLIENTS] = {"max_db_client_connections", "compute", false},
	[TALLY_USER_CLIENTS] = {"max_user_client_connections", "user", false},
	[TALLY_DB_SERVERS] = {"max_db_connections", "compute", true},
	[TALLY_USER_SERVERS] = {"max_user_connections", "user", true},
};

static int own_or(int own, int setting)
{
	return own >= 0 ? own : setting;
}

/* How many there are; 0: as many as come. */
static int limit_of(const Session *s, TallyKind kind, const char *name)
{
	const Database *d = s->arrival->database;
	const UserEntry *user = conf_user(s->conf, name);

	switch (kind) {
	case TALLY_DB_CLIENTS:
		return own_or(d->max_db_client_connections,
			      s->conf->reveille.max_db_client_connections);
	case TALLY_USER_CLIENTS:
		return own_or(user ? user->max_user_client_connections : -1,
			      s->conf->reveille.max_user_client_connections);
	case TALLY_DB_SERVERS:
		return own_or(d->max_db_connections, s->conf->reveille.max_db_connections);
	case TALLY_USER_SERVERS:
		return own_or(user ? user->max_user_connections : -1,
			      s->conf->reveille.max_user_connections);
	case TALLY_KINDS:
		break;
	}
	return 0;
}

static const char *name_of(const Session *s, TallyKind kind)
{
	const Arrival *a = s->arrival;

	if (kind == TALLY_DB_CLIENTS || kind == TALLY_DB_SERVERS)
		return a->compute;
	return kind == TALLY_USER_CLIENTS ? a->user : startup_get(&a->hello.startup, "user");
}

static PlacesVerdict refuse(TallyKind kind, const char *name, Fault *why)
{
	fault_set(why, FAULT_LIMIT, "no more connections allowed for %s \"%.64s\"",
		  table[kind].whose, name);
	fault_hint(why, "the limit is %s", table[kind].setting);
	return PLACES_REFUSED;
}

static PlacesVerdict no_room(Fault *why)
{
	fault_set(why, FAULT_LIMIT, "too many names have limits");
	return PLACES_REFUSED;
}

static bool take(Session *s, TallyKind kind, const char *name, int limit, bool *full)
{
	Worker *w = s->worker;

	s->places[kind] = tally_take(w->shared, kind, name, (uint32_t)limit, w->number, full);
	return s->places[kind];
}

static void give(Session *s, TallyKind kind)
{
	Worker *w = s->worker;
	Tally *t = s->places[kind];

	s->places[kind] = NULL;
	if (!t)
		return;
	tally_give(w->shared, t, w->number);
	if (tally_waiting(w->shared, t) > 0)
		worker_nudge_all(w);
}

/*
 * Counts itself among those who wait, and only then looks once more, so that no
 * nudge is missed.  What else it would have to wait with is given back: who waits
 * keeps nobody out.
 */
static PlacesVerdict wait_for(Session *s, TallyKind kind, const char *name, int limit, Fault *why)
{
	Worker *w = s->worker;
	bool full;

	s->awaited = tally_wait(w->shared, kind, name, w->number);
	if (!s->awaited)
		return no_room(why);
	if (take(s, kind, name, limit, &full)) {
		places_stop_waiting(s);
		return PLACES_TAKEN;
	}
	for (TallyKind other = 0; other < TALLY_KINDS; other++) {
		if (table[other].waits)
			give(s, other);
	}
	return PLACES_WAIT;
}

static PlacesVerdict want(Session *s, TallyKind kind, Fault *why)
{
	const char *name = name_of(s, kind);
	int limit = limit_of(s, kind, name);
	bool full;

	if (limit == 0 || s->places[kind] || take(s, kind, name, limit, &full))
		return PLACES_TAKEN;
	if (full)
		return no_room(why);
	return table[kind].waits ? wait_for(s, kind, name, limit, why) : refuse(kind, name, why);
}

PlacesVerdict places_take(Session *s, Fault *why)
{
	places_stop_waiting(s);
	for (TallyKind kind = 0; kind < TALLY_KINDS; kind++) {
		PlacesVerdict verdict = want(s, kind, why);

		if (verdict != PLACES_TAKEN)
			return verdict;
	}
	return PLACES_TAKEN;
}

void places_stop_waiting(Session *s)
{
	if (s->awaited)
		tally_stop_waiting(s->worker->shared, s->awaited, s->worker->number);
	s->awaited = NULL;
}

void places_give(Session *s)
{
	for (TallyKind kind = 0; kind < TALLY_KINDS; kind++)
		give(s, kind);
}
