/* What the supervisor's files share. */
#ifndef SUPERVISOR_PRIVATE_H
#define SUPERVISOR_PRIVATE_H

#include <sys/types.h>

#include "model/shared.h"
#include "proxy/proxy.h"
#include "supervisor/supervisor.h"
#include "sys/listen.h"

#define CHILDREN_MAX (WORKERS_MAX + 2)

typedef enum ChildKind {
#define CHILD(kind, ...) CHILD_##kind,
#include "children.def"
#undef CHILD
	CHILD_KINDS
} ChildKind;

typedef struct Child {
	ChildKind kind;
	int number;        /* among those of its kind, from 0 */
	pid_t pid;         /* 0: not running */
	uint32_t life;     /* how often it was started */
	int64_t since_ms;  /* when it was started last */
	int64_t again_ms;  /* not to be started before */
	int64_t pause_ms;  /* that it had before this life: see pause.h */
	uint32_t turns;    /* of a worker's loop, as last seen */
	int64_t turned_ms; /* when they were seen to change */
} Child;

typedef struct Supervisor {
	const SupervisorSetup *setup;
	const Config *conf; /* in force */
	Access *access;     /* what the files say that it names */
	Shared *shared;
	Listeners clients, http, control;
	char unix_path[200]; /* of the socket that is ours to remove, or "" */
	int nudges[WORKERS_MAX];
	Child children[CHILDREN_MAX];
	int n_children;
	int pid_file; /* locked, or -1 */
} Supervisor;

/*
 * Opens everything that must outlive a child, first what needs root, then, as the
 * configured user, the rest; false and *why if something cannot be had.
 */
bool estate_open(Supervisor *s, Fault *why);

/* A daemon that has started has nothing more to say to the terminal. */
void estate_leave_terminal(void);

/* Removes what would be in the way of the next start. */
void estate_close(Supervisor *s);

/* No more connections are taken; those in the queue are refused by the kernel. */
void estate_stop_listening(Supervisor *s);

/* Reads the file again. All or nothing: what is wrong is logged and nothing changes. */
void reload(Supervisor *s);

/* What children call to get the configuration that was published; arg is the Supervisor. */
const Config *reread(void *arg);

/* Makes a key for session tickets when there is none or the newest has served its time. */
void ticket_keys_watch(Supervisor *s, int64_t now_ms);

/* Starts a child; it runs its main function and never returns from here. */
void child_start(Supervisor *s, Child *c);
const char *child_title(const Child *c);

#endif
