#include "pidfile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define STATUS_LINE 8

static const char *line_of(const char *text, int number)
{
	while (--number > 0 && text) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text ? text : "";
}

/* A negative process id is a single-user server's. */
bool pidfile_parse(const char *text, pid_t *pid, ServerPhase *phase)
{
	const char *status = line_of(text, STATUS_LINE);
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || (*end && *end != '\n') || number <= 1 || number > INT_MAX)
		return false;
	*pid = (pid_t)number;
	if (text_starts(status, "ready") || text_starts(status, "standby"))
		*phase = SERVER_READY;
	else if (text_starts(status, "stopping"))
		*phase = SERVER_STOPPING;
	else
		*phase = SERVER_STARTING;
	return true;
}
