#include "sys/systemd.h"

#include <stdarg.h>
#include <stdio.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

void systemd_tell(const char *fmt, ...)
{
	char state[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(state, sizeof(state), fmt, ap);
	va_end(ap);
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#endif
}
