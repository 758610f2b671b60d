/*
 * The log: one line, one write, to standard error or a file, and to syslog.
 *
 * Messages are lower case, have no full stop, and say what failed and what
 * happens next; facts follow as key=value.  The descriptor is opened for
 * appending and shared by all processes; each reopens it when told (SIGUSR1).
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include <stdbool.h>

#include "base/fault.h"

typedef enum LogLevel {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR
} LogLevel;

typedef struct LogSetup {
	const char *file; /* "" for standard error */
	bool json;
	bool syslog;
	const char *syslog_ident, *syslog_facility;
	int verbose; /* 0: from info, 1 and more: from debug */
	bool quiet;  /* nothing on standard error */
} LogSetup;

/* False and *why if the file cannot be opened. The texts are copied. */
bool log_open(const LogSetup *setup, Fault *why);
void log_reopen(void);

/* What may change on reload. */
void log_set(bool json, int verbose);

/* The process's name in every line: "supervisor", "worker 3". */
void log_name(const char *name);

void log_at(LogLevel level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)

/* Logs at error and ends the process; for what cannot be or cannot be worked without. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
