#include "store.h"

#include "base/text.h"
#include "deed.h"

#define SQLITE "sqlite:"

const char *store_path(const char *url)
{
	return text_starts(url, SQLITE) ? url + sizeof(SQLITE) - 1 : NULL;
}

Store *store_open(Loop *loop, const char *url, Fault *why)
{
	const char *path = store_path(url);
	Store *s = NULL;

	if (path && *path)
		s = store_sqlite_open(loop, path, why);
	else if (text_starts(url, "postgresql://") || text_starts(url, "postgres://"))
		s = store_postgres_open(loop, url, why);
	else
		fault_set(why, FAULT_BAD_SETTING,
			  "control.store must be sqlite:PATH or postgresql://…, not \"%s\"", url);
	return s;
}

void store_close(Store *s)
{
	s->ops->close(s);
}

/* No project or compute can have that name. */
void store_try(Store *s, StoreCall call)
{
	Deed *d = deed_new(s, DEED_WRITE, call);

	deed_say(d, "INSERT INTO names VALUES ('?')", "");
	deed_say(d, "DELETE FROM names WHERE id = '?'", "");
	deed_do(d);
}

void store_lead(Store *s, void (*on_lead)(void *arg, LeadNews news), void *arg)
{
	s->on_lead = on_lead;
	s->lead_arg = arg;
	s->ops->lead(s);
}
