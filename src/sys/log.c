#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/clock.h"

#define LINE_MAX_BYTES 2048

/* The one global of the program: a line can be logged from anywhere. */
static struct {
	int fd;
	char file[512];
	char name[32];
	char ident[64];
	bool json, syslog, quiet;
	int verbose;
} self = {.fd = STDERR_FILENO, .name = "main"};

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
	[LOG_LEVEL_INFO] = {"info", LOG_INFO},
	[LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
	[LOG_LEVEL_ERROR] = {"error", LOG_ERR},
};

static int facility_number(const char *word)
{
	static const struct {
		const char *word;
		int number;
	} facilities[] = {
		{"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"daemon", LOG_DAEMON},
		{"user", LOG_USER},     {"local0", LOG_LOCAL0},     {"local1", LOG_LOCAL1},
		{"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},     {"local4", LOG_LOCAL4},
		{"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},     {"local7", LOG_LOCAL7},
	};

	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if (strcmp(facilities[i].word, word) == 0)
			return facilities[i].number;
	}
	return LOG_DAEMON;
}

static int open_file(void)
{
	return open(self.file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

bool log_open(const LogSetup *setup, Fault *why)
{
	text_copy(self.file, sizeof(self.file), setup->file);
	text_copy(self.ident, sizeof(self.ident), setup->syslog_ident);
	self.syslog = setup->syslog;
	self.quiet = setup->quiet;
	log_set(setup->json, setup->verbose);
	if (*self.file) {
		int fd = open_file();

		if (fd == -1)
			return fault_set(why, FAULT_BAD_SETTING,
					 "could not open logfile \"%s\": %s", self.file,
					 strerror(errno));
		self.fd = fd;
	}
	if (self.syslog)
		openlog(self.ident, LOG_PID, facility_number(setup->syslog_facility));
	return true;
}

void log_reopen(void)
{
	int fd;

	if (!*self.file)
		return;
	fd = open_file();
	if (fd == -1) {
		log_error("could not reopen the log, keeping the old one: file=\"%s\" error=\"%s\"",
			  self.file, strerror(errno));
		return;
	}
	close(self.fd);
	self.fd = fd;
}

void log_set(bool json, int verbose)
{
	self.json = json;
	self.verbose = verbose;
}

void log_name(const char *name)
{
	text_copy(self.name, sizeof(self.name), name);
}

static size_t put_time(char *out, size_t n)
{
	int64_t us = wall_us();
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	size_t k;

	gmtime_r(&seconds, &tm);
	k = strftime(out, n, "%Y-%m-%dT%H:%M:%S", &tm);
	return k + (size_t)snprintf(out + k, n - k, ".%03dZ", (int)(us / 1000 % 1000));
}

static size_t put_json_text(char *out, size_t n, const char *text)
{
	size_t k = 0;

	for (; *text && k + 8 < n; text++) {
		if (*text == '"' || *text == '\\')
			out[k++] = '\\';
		out[k++] = *text;
	}
	return k;
}

static size_t format_line(char *out, size_t n, LogLevel level, const char *message)
{
	char when[40];
	int k;

	put_time(when, sizeof(when));
	if (!self.json) {
		k = snprintf(out, n, "%s %s %s[%d]: %s\n", when, levels[level].word, self.name,
			     (int)getpid(), message);
		return (size_t)k < n ? (size_t)k : n - 1;
	}
	k = snprintf(
		out, n,
		"{\"time\":\"%s\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%d,\"message\":\"",
		when, levels[level].word, self.name, (int)getpid());
	k += (int)put_json_text(out + k, n - (size_t)k - 8, message);
	return (size_t)k + (size_t)snprintf(out + k, n - (size_t)k, "\"}\n");
}

static void write_line(LogLevel level, const char *fmt, va_list ap)
{
	char message[LINE_MAX_BYTES], line[2 * LINE_MAX_BYTES + 200];
	int saved = errno;
	size_t n;

	vsnprintf(message, sizeof(message), fmt, ap);
	text_printable(message);
	n = format_line(line, sizeof(line), level, message);
	if (!(self.quiet && self.fd == STDERR_FILENO) && write(self.fd, line, n) == -1 &&
	    self.fd != STDERR_FILENO)
		dprintf(STDERR_FILENO, "could not write to the log: %s\n", strerror(errno));
	if (self.syslog)
		syslog(levels[level].priority, "%s: %s", self.name, message);
	errno = saved;
}

void log_at(LogLevel level, const char *fmt, ...)
{
	va_list ap;

	if (level == LOG_LEVEL_DEBUG && self.verbose == 0)
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}
