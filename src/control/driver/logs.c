/*
 * What servers print, kept short while they run: it is their tenants who make it grow, by
 * some 100 MB a second where one wants to.
 *
 * As long as there is a server sizes are looked at, more often where one has just been too
 * long.  The last lines are put aside and the log begins anew; what is printed in that
 * moment is lost, and nothing else.
 */
#include "process.h"
#include "sys/log.h"

#define MOST    (10 << 20)
#define KEPT    (1 << 20)
#define LOOK_MS 1000
#define SOON_MS 100

static bool cut(Instance *i)
{
	char old[PATH_SIZE];

	if (file_size(i->home.log) <= MOST)
		return false;
	path_set(old, "%s.1", i->home.log);
	if (!file_cut(i->home.log, old, KEPT))
		log_debug("the end of a server's log was not kept: compute=%s", i->id);
	i->log_from = 0;
	return true;
}

static void look(void *driver)
{
	ProcessDriver *d = driver;
	int64_t next_ms = LOOK_MS;
	bool any = false;
	Instance *i;

	LIST_FOREACH(i, &d->instances, link)
	{
		any = any || i->server;
		if (i->server && !i->frozen && cut(i))
			next_ms = SOON_MS;
	}
	if (any)
		timer_arm(&d->logs, next_ms);
}

void logs_init(ProcessDriver *d)
{
	timer_init(&d->logs, d->loop, look, d);
}

void logs_watch(ProcessDriver *d)
{
	if (!timer_is_armed(&d->logs))
		timer_arm(&d->logs, LOOK_MS);
}
