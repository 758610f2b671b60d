#include "pidfile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SOCKETS_LINE 5
#define STATUS_LINE  8

static const char *line_of(const char *text, int number)
{
	while (--number > 0 && text) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text ? text : "";
}

/* A negative process id is a single-user server's. */
bool pidfile_parse(const char *text, PidFile *out)
{
	const char *status = line_of(text, STATUS_LINE), *sockets = line_of(text, SOCKETS_LINE);
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || (*end && *end != '\n') || number <= 1 || number > INT_MAX)
		return false;
	out->pid = (pid_t)number;
	text_copy_n(out->sockets, sizeof(out->sockets), sockets, strcspn(sockets, "\n"));
	if (text_starts(status, "ready") || text_starts(status, "standby"))
		out->phase = SERVER_READY;
	else if (text_starts(status, "stopping"))
		out->phase = SERVER_STOPPING;
	else
		out->phase = SERVER_STARTING;
	return true;
}
