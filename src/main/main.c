/*
 * reveille: options, then the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "conf/conf.h"
#include "control/control.h"
#include "model/shared.h"
#include "proxy/proxy.h"
#include "supervisor/supervisor.h"
#include "sys/address.h"
#include "sys/file.h"
#include "sys/pgconn.h"
#include "sys/title.h"
#include "sys/user.h"

#define OVERRIDES_MAX 64

typedef struct Options {
	bool daemon, quiet, check;
	int verbose;
	const char *file;
	char absolute[PATH_MAX];
	ConfOverride overrides[OVERRIDES_MAX];
	int n_overrides;
} Options;

static const char usage[] =
	"Usage: reveille [-d] [-q] [-v] [-t] [-u USER] [-c NAME=VALUE]... CONFIG.ini\n"
	"\n"
	"  -d, --daemon           run in the background (needs pidfile and logfile)\n"
	"  -q, --quiet            write nothing to standard error\n"
	"  -v, --verbose          log more; twice, still more\n"
	"  -t, --test             check the configuration and exit\n"
	"  -u, --user USER        become this user, as the setting does\n"
	"  -c, --set NAME=VALUE   a setting that overrides the file's\n"
	"      --print-ini        print a configuration with every setting at its default\n"
	"      --print-man        print the settings as a part of a manual page\n"
	"      --print-phases     print the life of a session, for Graphviz\n"
	"  -V, --version          print the version\n"
	"  -h, --help             print this\n"
	"\n"
	"PROXY_LISTEN_ADDR (host:port) and CONTROL_PLANE_URL in the environment override the\n"
	"file too; with one of them, no file is needed.\n";

enum { PRINT_INI = 256, PRINT_MAN, PRINT_PHASES };

static const struct option long_options[] = {
	{"daemon", no_argument, NULL, 'd'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"test", no_argument, NULL, 't'},
	{"user", required_argument, NULL, 'u'},
	{"set", required_argument, NULL, 'c'},
	{"print-ini", no_argument, NULL, PRINT_INI},
	{"print-man", no_argument, NULL, PRINT_MAN},
	{"print-phases", no_argument, NULL, PRINT_PHASES},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void fail(const char *message)
{
	fprintf(stderr, "reveille: %s\n", message);
	exit(1);
}

static void add_override(Options *o, const char *from, const char *name_value)
{
	if (o->n_overrides == OVERRIDES_MAX)
		fail("too many settings on the command line");
	o->overrides[o->n_overrides++] = (ConfOverride){from, name_value};
}

static void add_override_of(Options *o, const char *from, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *text = mem_new(size, 1); /* kept for as long as we run */

	snprintf(text, size, "%s=%s", name, value);
	add_override(o, from, text);
}

static void take_environment(Options *o)
{
	const char *listen = getenv("PROXY_LISTEN_ADDR"), *url = getenv("CONTROL_PLANE_URL");
	char host[256], number[16];
	int port;

	if (url && *url)
		add_override_of(o, "CONTROL_PLANE_URL", "wake.control_plane_url", url);
	if (!listen || !*listen)
		return;
	if (!address_split(listen, host, sizeof(host), &port) || port == 0)
		fail("PROXY_LISTEN_ADDR takes HOST:PORT");
	snprintf(number, sizeof(number), "%d", port);
	add_override_of(o, "PROXY_LISTEN_ADDR", "listen_addr", host);
	add_override_of(o, "PROXY_LISTEN_ADDR", "listen_port", number);
}

static void print_and_exit(int what)
{
	if (what == PRINT_INI)
		conf_print_ini(stdout);
	else if (what == PRINT_MAN)
		conf_print_man(stdout);
	else if (what == PRINT_PHASES)
		phases_print_dot();
	else if (what == 'V')
		puts("reveille " REVEILLE_VERSION);
	else
		fputs(usage, stdout);
	exit(0);
}

static void read_options(Options *o, int argc, char **argv)
{
	int c;

	take_environment(o);
	while ((c = getopt_long(argc, argv, "dqvtu:c:Vh", long_options, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->daemon = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'v':
			o->verbose++;
			break;
		case 't':
			o->check = true;
			break;
		case 'u':
			add_override_of(o, "command line", "reveille.user", optarg);
			break;
		case 'c':
			add_override(o, "command line", optarg);
			break;
		case '?':
			fputs(usage, stderr);
			exit(2);
		default:
			print_and_exit(c);
		}
	}
	o->file = optind < argc ? argv[optind] : "";
	if (optind + 1 < argc ||
	    (!*o->file && !getenv("PROXY_LISTEN_ADDR") && !getenv("CONTROL_PLANE_URL"))) {
		fputs(usage, stderr);
		exit(2);
	}
}

static char *read_file(const Options *o)
{
	Fault why;
	char *text = *o->file ? file_text(o->file, CONF_TEXT_MAX, &why) : mem_text("");

	if (!text)
		fail(why.detail);
	return text;
}

/* A daemon's folder is /, so the file has to be named from there. */
static void make_absolute(Options *o)
{
	if (*o->file && realpath(o->file, o->absolute))
		o->file = o->absolute;
}

static void check_user(const Config *conf)
{
	if (geteuid() == 0 && !*conf->reveille.user.s)
		fail("will not run as root: set user = NAME, or -u NAME, to become it once the "
		     "sockets are open");
}

/*
 * Goes into the background.  The parent waits until the daemon says that it has
 * started, or ends, so that who started us knows which; the terminal is the
 * daemon's until then.  Returns in the daemon, with what to write to.
 */
static int daemonize(const Config *conf)
{
	int ready[2];
	char byte;
	pid_t pid = 0;

	if (!*conf->reveille.pidfile.s || (!*conf->reveille.logfile.s && !conf->reveille.syslog))
		fail("-d needs pidfile, and logfile or syslog");
	if (pipe2(ready, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fail(strerror(errno));
	if (pid > 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) == 1)
			exit(0);
		fail("did not start");
	}
	setsid();
	if (chdir("/") == -1)
		fail(strerror(errno));
	close(ready[0]);
	return ready[1];
}

/* The files are tried as the user who will read them, if there is such a user here. */
static int check(const Options *o, const Config *conf, char *text)
{
	Access *access;
	Fault why;

	if (!user_become(conf->reveille.user.s, false, &why))
		fprintf(stderr, "reveille: %s; trying the files as root\n", why.detail);
	access = access_load(conf, NULL, &why);
	if (!access || !control_check(conf, &why))
		fail(why.detail);
	access_release(access);
	printf("%s: the configuration is good\n", o->file);
	conf_release(conf);
	free(text);
	return 0;
}

int main(int argc, char **argv)
{
	static Options o; /* not on the stack: what it points to is kept to the end */
	SupervisorSetup setup;
	const Config *conf;
	char *text;
	int status;
	Fault why;

	argv = title_init(argv);
	pgconn_forget_environment();
	read_options(&o, argc, argv);
	if (o.verbose > 0)
		add_override(&o, "command line", o.verbose == 1 ? "verbose=1" : "verbose=2");
	text = read_file(&o);
	make_absolute(&o);
	conf = conf_parse(o.file, text, o.overrides, o.n_overrides, &why);
	if (!conf)
		fail(why.detail);
	if (o.check)
		return check(&o, conf, text);
	check_user(conf);
	setup = (SupervisorSetup){.file = o.file,
				  .text = text,
				  .conf = conf,
				  .overrides = o.overrides,
				  .n_overrides = o.n_overrides,
				  .quiet = o.quiet,
				  .ready_fd = o.daemon ? daemonize(conf) : -1};
	title_set("reveille: supervisor");
	status = supervisor_main(&setup);
	conf_release(conf);
	free(text);
	return status;
}
