/*
 * Inside the process driver: one Instance is one compute's folder and, while it
 * runs, its server.
 *
 *   DATA_DIR/ENGINE/ID/data      the server's data
 *   DATA_DIR/ENGINE/ID/log       what it prints; log.1, what it printed before
 *   DATA_DIR/ENGINE/ID/revision  which template it was made of, or brought up to
 *   DATA_DIR/users/USER          link to the ID of the compute that has that user
 *   DATA_DIR/template/…          what new computes are copied from
 *   DATA_DIR/spare/…             copies of it, for those to come
 *   DATA_DIR/ENGINE/ID/fence     the highest generation that was obeyed
 *   SOCKET_DIR/ID/GENERATION/    its sockets in this life of the server, for us alone
 *
 * An id is a DNS label, so every name with a dot in it is ours.
 */
#ifndef CONTROL_PROCESS_H
#define CONTROL_PROCESS_H

#include "cgroup.h"
#include "driver.h"
#include "engine.h"
#include "spares.h"
#include "sys/machine.h"
#include "sys/notify.h"
#include "template.h"
#include "tenant.h"

#define GROUP_SIZE (ID_SIZE + 24) /* ID.GENERATION */

typedef struct ProcessDriver {
	Driver driver; /* first, so that a Driver * is one of these */
	Loop *loop;
	char data_dir[PATH_SIZE], engine_dir[PATH_SIZE], socket_dir[PATH_SIZE];
	int64_t memory_per_unit, slot_wal;
	char boot_id[BOOT_ID_SIZE];
	char life[LIFE_SIZE];
	Program program;
	Template template;
	Spares spares;
	Cgroups cgroups;
	Tenants tenants;
	Process *sweeper;
	LIST_HEAD(, Instance) instances;
	Timer logs;
} ProcessDriver;

typedef enum Task {
	TASK_NONE,
	TASK_CREATE,
	TASK_START,
	TASK_STOP,
	TASK_FREEZE,
	TASK_THAW,
	TASK_RESIZE,
	TASK_OBSERVE,
	TASK_DESTROY,
} Task;

struct Instance {
	ProcessDriver *driver;
	LIST_ENTRY(Instance) link;
	const Program *program;
	char id[ID_SIZE];
	Home home;
	DriverEnd on_end;
	void *arg;

	/* The server, if one runs. */
	Process *server;
	bool ready;
	Notify *notify; /* while it is starting */
	long log_from;  /* where its own lines begin in the log */
	bool given_up;  /* it was told to stop for taking too long */
	bool frozen;
	char group[GROUP_SIZE]; /* its control group; "" if it is in none */
	int64_t cpu_us;         /* the most that it was seen to have used */

	/* The group of one that ended, if it could not be removed at once. */
	char old_group[GROUP_SIZE];
	Timer tidy;
	int tidy_ms;

	/* While it is being frozen. */
	int freezing_fd;
	ReadWatch freezing;
	Timer look_again;

	/* What is being done, and for whom. */
	Task task;
	ServerOrder order;
	DriverAnswer on_answer;
	Timer deadline, answer;
	char failure[REASON_SIZE];
	Process *job;
	TemplateWant want;
	char partial[PATH_SIZE];
	char job_log[PATH_SIZE];

	/* What its files are being measured for. */
	DriverMeasured on_measured;
	Process *measuring;
	Timer not_measured;
	char measured[PATH_SIZE];
};

/* Begins a task, ends it with an answer in a later turn ("" if it was done). */
void task_begin(Instance *i, Task task, DriverAnswer on_answer);
void task_end(Instance *i, const char *failure);

/* server.c: whether a server is there; adopts it, if it was not known. */
bool server_look(Instance *i, ServerPhase *phase);
void server_start(Instance *i);
void server_launch(Instance *i);
void server_stop(Instance *i, int number);
void server_kill(Instance *i);
void server_close_door(Instance *i);
Crowd server_crowd(Instance *i);
void server_on_deadline(void *instance);
void server_on_tidy(void *instance);

/* freeze.c: going on does what thawing does, for whoever has a server to stop or to start. */
void server_freeze(Instance *i);
void server_thaw(Instance *i);
void server_go_on(Instance *i);
bool freeze_is_done(const Instance *i);
void freeze_give_up(Instance *i);
void freeze_forget(Instance *i);
void freeze_look_again(void *instance);

/* limits.c: what it may use and what it uses. */
void server_resize(Instance *i);
bool limits_apply(Instance *i, char *failure, size_t size);
bool server_stat(Instance *i, ServerStat *out);

/* logs.c: how long what they print may become. To be watched from when a server is there. */
void logs_init(ProcessDriver *d);
void logs_watch(ProcessDriver *d);

/* folder.c: what takes time and blocks, in jobs. */
void folder_create(Instance *i);
void folder_destroy(Instance *i);
bool folder_is_behind(const Instance *i); /* and has to be brought up before it is used */
void folder_bring_up(Instance *i);
void folder_measure(Instance *i, DriverMeasured on_measured);
void folder_not_measured(void *instance);
void folder_sweep_all(ProcessDriver *d);

#endif
