#include "sys/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define MESSAGE_MAX 4096

struct Notify {
	struct sockaddr_un at;
	Loop *loop;
	ReadWatch watch;
	int fd;
	void (*on_ready)(void *arg);
	void *arg;
};

/* Lines of NAME=value (sd_notify(3)). */
static bool says_ready(char *message)
{
	char *save = NULL;

	for (char *line = strtok_r(message, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "READY=1") == 0)
			return true;
	}
	return false;
}

static void on_message(void *arg)
{
	Notify *n = arg;
	char message[MESSAGE_MAX];
	ssize_t k = recv(n->fd, message, sizeof(message) - 1, MSG_DONTWAIT);

	if (k <= 0)
		return;
	message[k] = 0;
	if (says_ready(message))
		n->on_ready(n->arg);
}

static int bind_datagrams(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	unlink(at->sun_path);
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == -1) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

Notify *notify_open(Loop *loop, const char *path, void (*on_ready)(void *arg), void *arg,
		    Fault *why)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	Notify *n;
	int fd;

	if (!text_copy(at.sun_path, sizeof(at.sun_path), path)) {
		fault_set(why, FAULT_MISCONFIGURED, "\"%s\" is too long for a socket's name", path);
		return NULL;
	}
	fd = bind_datagrams(&at);
	if (fd == -1) {
		fault_set(why, FAULT_MISCONFIGURED, "could not listen at \"%s\": %s", path,
			  strerror(errno));
		return NULL;
	}
	n = NEW(Notify);
	*n = (Notify){.at = at, .loop = loop, .fd = fd, .on_ready = on_ready, .arg = arg};
	read_watch_init(&n->watch, loop, fd, on_message, n);
	read_watch_start(&n->watch);
	return n;
}

void notify_close(Notify *n)
{
	read_watch_stop(&n->watch);
	close(n->fd);
	unlink(n->at.sun_path);
	loop_bury(n->loop, n, free);
}
