#include "sys/listen.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static bool add(Listeners *out, int fd, int backlog, const char *where, Fault *why)
{
	if (out->n == LISTENERS_MAX || listen(fd, backlog) == -1) {
		fault_set(why, FAULT_BAD_SETTING, "could not listen on %s: %s", where,
			  out->n == LISTENERS_MAX ? "too many addresses" : strerror(errno));
		close(fd);
		return false;
	}
	out->fd[out->n++] = fd;
	return true;
}

static bool open_one(Listeners *out, const struct addrinfo *ai, int backlog, Fault *why)
{
	char where[ADDRESS_TEXT_MAX];
	Address a = {.size = ai->ai_addrlen};
	int yes = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(&a.at, ai->ai_addr, ai->ai_addrlen);
	address_print(&a, where, sizeof(where));
	if (fd == -1)
		return fault_set(why, FAULT_BAD_SETTING, "could not listen on %s: %s", where,
				 strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1) {
		fault_set(why, FAULT_BAD_SETTING, "could not listen on %s: %s", where,
			  strerror(errno));
		close(fd);
		return false;
	}
	return add(out, fd, backlog, where, why);
}

/* A machine without IPv6 is no reason to fail "*". */
static bool is_family_missing(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return errno == EAFNOSUPPORT;
	close(fd);
	return false;
}

static bool open_host(Listeners *out, const char *host, int port, int backlog, Fault *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
	bool every = strcmp(host, "*") == 0, ok = true;
	char service[8];
	int error;

	snprintf(service, sizeof(service), "%d", port);
	error = getaddrinfo(every ? NULL : host, service, &hints, &list);
	if (error)
		return fault_set(
			why, FAULT_BAD_SETTING,
			"could not listen on \"%s\": %s; give an address of this machine, or *",
			host, gai_strerror(error));
	for (struct addrinfo *ai = list; ai && ok; ai = ai->ai_next) {
		if (!every || !is_family_missing(ai))
			ok = open_one(out, ai, backlog, why);
	}
	freeaddrinfo(list);
	return ok;
}

bool listen_tcp(Listeners *out, const char *addresses, int port, int backlog, Fault *why)
{
	char copy[512], *rest = copy;

	text_copy(copy, sizeof(copy), addresses);
	while (rest) {
		char *host = text_trim(strsep(&rest, ","));

		if (*host && !open_host(out, host, port, backlog, why))
			return false;
	}
	return true;
}

static bool give_to_group(const char *path, const char *group)
{
	struct group *g = getgrnam(group);

	if (!g) {
		errno = EINVAL;
		return false;
	}
	return chown(path, (uid_t)-1, g->gr_gid) == 0;
}

/* Somebody who still listens there is not pushed aside. */
static bool is_stale(const Address *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale = connect(fd, &a->at.any, a->size) == -1 && errno == ECONNREFUSED;

	close(fd);
	return stale;
}

bool listen_unix(Listeners *out, const char *path, int mode, const char *group, int backlog,
		 Fault *why)
{
	Address a;
	int fd;

	if (!address_of_literal(&a, path, 0))
		return fault_set(
			why, FAULT_BAD_SETTING,
			"the socket's path \"%s\" is longer than 107 bytes; choose another "
			"unix_socket_dir",
			path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*path == '/' && is_stale(&a))
		unlink(path);
	if (bind(fd, &a.at.any, a.size) == -1 ||
	    (*path == '/' && chmod(path, (mode_t)mode) == -1) ||
	    (*path == '/' && *group && !give_to_group(path, group))) {
		fault_set(why, FAULT_BAD_SETTING, "could not listen on \"%s\": %s", path,
			  strerror(errno));
		close(fd);
		return false;
	}
	return add(out, fd, backlog, path, why);
}
