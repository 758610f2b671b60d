#include "suspend.h"

#include <stdarg.h>
#include <stdio.h>

static SuspendVerdict keep(char *reason, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static SuspendVerdict keep(char *reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, SUSPEND_REASON_SIZE, fmt, ap);
	va_end(ap);
	return SUSPEND_KEEP;
}

static int64_t idle_ms(const SuspendFacts *f)
{
	int64_t idle = f->now_ms - f->active_ms;

	if (f->server.known && f->server.idle_ms >= 0 && f->server.idle_ms < idle)
		return f->server.idle_ms;
	return idle;
}

SuspendVerdict suspend_decide(const SuspendFacts *f, char reason[SUSPEND_REASON_SIZE])
{
	int64_t idle = idle_ms(f);

	if (f->timeout_ms == 0)
		return keep(reason, "it is never to be suspended");
	if (f->at_work > 0)
		return keep(reason, "sessions are at work: %d", f->at_work);
	if (idle < f->timeout_ms)
		return keep(reason, "it was used %lld s ago", (long long)(idle / 1000));
	if (f->server.working > 0)
		return keep(reason, "queries are running: %d", f->server.working);
	if (f->server.in_transaction > 0)
		return keep(reason, "transactions are open: %d", f->server.in_transaction);
	if (f->server.replicating > 0)
		return keep(reason, "it is being replicated or backed up: %d",
			    f->server.replicating);
	if (f->server.maintaining > 0)
		return keep(reason, "maintenance is running: %d", f->server.maintaining);
	snprintf(reason, SUSPEND_REASON_SIZE, "nobody used it for %lld s",
		 (long long)(idle / 1000));
	return f->server.known ? SUSPEND_NOW : SUSPEND_ASK;
}
