/*
 * What outlives every child: sockets, shared memory, the nudges, the pid file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/where.h"
#include "control/control.h"
#include "proxy/proxy.h"
#include "supervisor.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/machine.h"
#include "sys/random.h"
#include "sys/user.h"

static int worker_count(const Config *conf)
{
	int n = conf->reveille.workers ? conf->reveille.workers : machine_cpus();

	return n > WORKERS_MAX ? WORKERS_MAX : n;
}

static bool open_shared(Supervisor *s, Fault *why)
{
	int n_slots = s->conf->reveille.max_client_conn;
	size_t size = shared_size(n_slots);
	int fd = memfd_create("reveille", MFD_CLOEXEC);
	uint8_t key[16];
	char token[65];
	void *at;

	if (fd == -1 || ftruncate(fd, (off_t)size) == -1)
		return fault_set(why, FAULT_INTERNAL, "could not make shared memory: %s",
				 strerror(errno));
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return fault_set(why, FAULT_INTERNAL, "could not map shared memory: %s",
				 strerror(errno));
	/* Keys and secrets are no business of whoever finds a core file. */
	madvise(at, size, MADV_DONTDUMP);
	s->shared = at;
	random_bytes(key, sizeof(key));
	random_hex(token, 32);
	shared_init(s->shared, worker_count(s->conf), n_slots, key, token);
	random_hex(s->shared->proxy_id, 16);
	shared_put_conf(s->shared, s->setup->text, strlen(s->setup->text));
	ticket_keys_watch(s, clock_ms());
	return true;
}

static bool open_nudges(Supervisor *s, Fault *why)
{
	for (int i = 0; i < s->shared->n_workers; i++) {
		s->nudges[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (s->nudges[i] == -1)
			return fault_set(why, FAULT_INTERNAL, "could not make an eventfd: %s",
					 strerror(errno));
	}
	return true;
}

/*
 * The default folder does not exist before the first start; below /run only root
 * can make it.
 */
static void make_socket_folder(const Supervisor *s)
{
	const char *dir = s->conf->reveille.unix_socket_dir.s;
	struct passwd *pw = getpwnam(s->conf->reveille.user.s);

	if (*dir == '/' && mkdir(dir, 0755) == 0 && pw && lchown(dir, pw->pw_uid, pw->pw_gid) == -1)
		log_warning("could not give unix_socket_dir to the user: dir=\"%s\" error=\"%s\"",
			    dir, strerror(errno));
}

static bool open_unix(Supervisor *s, Fault *why)
{
	const Config *c = s->conf;
	const char *dir = c->reveille.unix_socket_dir.s;

	if (!*dir || c->reveille.listen_port == 0)
		return true;
	if (snprintf(s->unix_path, sizeof(s->unix_path), "%s/.s.PGSQL.%d", dir,
		     c->reveille.listen_port) >= (int)sizeof(s->unix_path))
		return fault_set(why, FAULT_BAD_SETTING, "unix_socket_dir \"%.80s…\" is too long",
				 dir);
	if (listen_unix(&s->clients, s->unix_path, c->reveille.unix_socket_mode,
			c->reveille.unix_socket_group.s, c->reveille.listen_backlog, why))
		return true;
	*s->unix_path = 0;
	return false;
}

/* Of what [control] listens on, the Unix sockets or the others. */
static bool open_control(Supervisor *s, bool paths, Fault *why)
{
	const Config *c = s->conf;
	Where where;

	for (int i = 0; c->has_control && i < c->n_control_listen; i++) {
		if (!where_parse(&where, c->control_listen[i]) || where.is_path != paths)
			continue;
		if (paths ? !listen_unix(&s->control, where.host, c->control.unix_socket_mode, "",
					 128, why)
			  : !listen_tcp(&s->control, where.host, where.port, 128, why))
			return false;
	}
	return true;
}

static bool open_tcp(Supervisor *s, Fault *why)
{
	const Config *c = s->conf;

	if (c->reveille.listen_port > 0 &&
	    !listen_tcp(&s->clients, c->reveille.listen_addr.s, c->reveille.listen_port,
			c->reveille.listen_backlog, why))
		return false;
	if (c->reveille.http_port > 0 &&
	    !listen_tcp(&s->http, c->reveille.http_addr.s, c->reveille.http_port, 128, why))
		return false;
	return open_control(s, false, why);
}

/* As many descriptors as sessions could need; a hard limit is raised if it may be. */
static void raise_limits(const Supervisor *s)
{
	rlim_t want = (rlim_t)s->conf->reveille.max_client_conn * 2 + 256;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= want)
		return;
	if (limit.rlim_max < want) {
		struct rlimit more = {.rlim_cur = want, .rlim_max = want};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
		log_warning("max_client_conn may need more descriptors than there are: need=%llu "
			    "limit=%llu; raise LimitNOFILE, or ulimit -n",
			    (unsigned long long)want, (unsigned long long)limit.rlim_max);
		want = limit.rlim_max;
	}
	limit.rlim_cur = want;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool no_pid_file(Supervisor *s, Fault *why, const char *problem)
{
	if (s->pid_file != -1)
		close(s->pid_file);
	s->pid_file = -1;
	return fault_set(why, FAULT_BAD_SETTING, "pidfile \"%s\": %s", s->conf->reveille.pidfile.s,
			 problem);
}

/* A lock that ends with the process, so that a stale file is no obstacle. */
static bool open_pid_file(Supervisor *s, Fault *why)
{
	const char *path = s->conf->reveille.pidfile.s;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[24];

	if (!*path)
		return true;
	s->pid_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (s->pid_file == -1)
		return no_pid_file(s, why, strerror(errno));
	if (fcntl(s->pid_file, F_SETLK, &lock) == -1)
		return no_pid_file(s, why, "it is locked: another reveille is running");
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(s->pid_file, 0) == -1 || write(s->pid_file, text, strlen(text)) == -1)
		return no_pid_file(s, why, strerror(errno));
	return true;
}

static bool open_log(const Supervisor *s, Fault *why)
{
	const Config *c = s->conf;
	LogSetup setup = {.file = c->reveille.logfile.s,
			  .json = conf_is(&c->reveille.log_format, "json"),
			  .syslog = c->reveille.syslog,
			  .syslog_ident = c->reveille.syslog_ident.s,
			  .syslog_facility = c->reveille.syslog_facility.s,
			  .verbose = c->reveille.verbose,
			  .quiet = s->setup->quiet};

	return log_open(&setup, why);
}

static bool load_access(Supervisor *s, Fault *why)
{
	s->access = access_load(s->conf, s->shared, why);
	return s->access && control_check(s->conf, why);
}

/* Files are opened as the user: root would follow a link that the user has laid. */
bool estate_open(Supervisor *s, Fault *why)
{
	raise_limits(s);
	if (!open_tcp(s, why))
		return false;
	make_socket_folder(s);
	if (!user_become(s->conf->reveille.user.s, s->conf->has_control && s->conf->first_user > 0,
			 why) ||
	    !open_shared(s, why) || !load_access(s, why) || !open_pid_file(s, why) ||
	    !open_log(s, why) || !open_unix(s, why) || !open_control(s, true, why) ||
	    !open_nudges(s, why))
		return false;
	if (s->clients.n == 0)
		log_warning("there is nothing to listen on for clients: listen_addr and "
			    "unix_socket_dir are empty, or listen_port is 0");
	return true;
}

void estate_leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);
}

void estate_stop_listening(Supervisor *s)
{
	for (int i = 0; i < s->clients.n; i++)
		close(s->clients.fd[i]);
	s->clients.n = 0;
	if (text_starts(s->unix_path, "/"))
		unlink(s->unix_path);
}

void estate_close(Supervisor *s)
{
	estate_stop_listening(s);
	if (s->pid_file != -1 && unlink(s->conf->reveille.pidfile.s) == -1)
		log_debug("could not remove the pidfile: error=\"%s\"", strerror(errno));
}
