/*
 * What the control plane keeps: projects, computes, what happened to them, and
 * how long they ran.
 *
 * Plain values without pointers, so that they can be copied between store,
 * memory and API without anybody owning anything.  Times are microseconds since
 * 1970, UTC; 0 is never.
 */
#ifndef CONTROL_RECORD_H
#define CONTROL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#define ID_SIZE          64 /* a DNS label and a zero */
#define NAME_SIZE        128
#define CONFIG_SIZE      4096
#define ADDRESS_SIZE     112 /* of a Unix socket's name at most */
#define INCARNATION_SIZE 96
#define REASON_SIZE      1024
#define SECRET_SIZE      160
#define ENGINE_SIZE      16

#define CLIENT_ROLE "app" /* the role, and database, that a compute is made with */

/*
 * At rest (suspended, active, failed), or on the way somewhere: a state on the
 * way is itself the order to get there, for whoever finds it.
 */
typedef enum ComputeState {
#define STATE(name, word) COMPUTE_##name,
#include "states.def"
#undef STATE
	COMPUTE_STATES
} ComputeState;

typedef struct Project {
	char id[ID_SIZE];
	char name[NAME_SIZE];
	char config[CONFIG_SIZE]; /* a JSON object that settings_check() passed */
	int64_t created_at;
	bool deleting; /* goes when its last compute has gone */
} Project;

typedef struct Compute {
	char id[ID_SIZE];
	char project_id[ID_SIZE];
	char engine[ENGINE_SIZE];
	ComputeState state;
	int64_t generation; /* counts the changes of state */
	int size;           /* thousandths of a compute unit */
	char config[CONFIG_SIZE];
	char incarnation[INCARNATION_SIZE]; /* of the server that runs, or "" */
	char address[ADDRESS_SIZE];         /* where it listens, or "" */
	char failure[REASON_SIZE];          /* why it failed, or "" */
	char verifier[SECRET_SIZE];         /* of CLIENT_ROLE's password */
	char control_password[ID_SIZE];     /* with which we log in ourselves */
	int64_t created_at, last_activity;
} Compute;

/* One change of a compute's state. */
typedef struct Operation {
	int64_t id;
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	ComputeState from, to;
	int64_t generation; /* after the change */
	char reason[REASON_SIZE];
	int64_t at;
} Operation;

/* One stretch of time during which a compute was active. */
typedef struct Interval {
	int64_t id;
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	char incarnation[INCARNATION_SIZE];
	int size;
	int64_t started_at, last_seen;
	int64_t ended_at; /* 0 while it is open */
} Interval;

/* "suspended" and so on. */
const char *compute_state_word(ComputeState state);

/* COMPUTE_STATES if there is no such word. */
ComputeState compute_state_of_word(const char *word);

#endif
