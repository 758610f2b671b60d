/*
 * Inside the process driver: one Instance is one compute's folder and, while it
 * runs, its server.
 *
 *   DATA_DIR/ENGINE/ID/data      the server's data
 *   DATA_DIR/ENGINE/ID/log       what it prints
 *   DATA_DIR/template/…          what new computes are copied from
 *   SOCKET_DIR/ID/               its sockets, for us alone
 *
 * An id is a DNS label, so every name with a dot in it is ours.
 */
#ifndef CONTROL_PROCESS_H
#define CONTROL_PROCESS_H

#include "driver.h"
#include "engine.h"
#include "sys/machine.h"
#include "sys/notify.h"
#include "template.h"

/*
 * In names of what is being made or removed, before the name of this life of
 * ours; what earlier lives left is known by theirs, and swept away.
 */
#define MARK_MAKING ".tmp-"
#define MARK_GOING  ".gone-"
#define LIFE_SIZE   9

typedef struct ProcessDriver {
	Driver driver; /* first, so that a Driver * is one of these */
	Loop *loop;
	char data_dir[PATH_SIZE], socket_dir[PATH_SIZE];
	char boot_id[BOOT_ID_SIZE];
	char life[LIFE_SIZE];
	Program program;
	Template template;
	Process *sweeper;
} ProcessDriver;

typedef enum Task {
	TASK_NONE,
	TASK_CREATE,
	TASK_START,
	TASK_STOP,
	TASK_OBSERVE,
	TASK_DESTROY,
} Task;

struct Instance {
	ProcessDriver *driver;
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
};

/* Begins a task, ends it with an answer in a later turn ("" if it was done). */
void task_begin(Instance *i, Task task, DriverAnswer on_answer);
void task_end(Instance *i, const char *failure);

/* server.c: whether a server is there; adopts it, if it was not known. */
bool server_look(Instance *i, ServerPhase *phase);
void server_start(Instance *i);
void server_stop(Instance *i, int number);
void server_close_door(Instance *i);
Crowd server_crowd(Instance *i);
void server_on_deadline(void *instance);

/* folder.c: what takes time and blocks, in jobs. */
void folder_create(Instance *i);
void folder_destroy(Instance *i);
void folder_sweep_all(ProcessDriver *d);

#endif
