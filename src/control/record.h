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
#define FAILURE_SIZE     256
#define ENGINE_SIZE      16
#define WORD_SIZE        16
#define HASH_SIZE        65 /* SHA-256 in hexadecimal, and a zero */
#define URL_SIZE         512
#define SEALED_SIZE      12288
#define LETTER_SIZE      65536

#define CLIENT_ROLE "app" /* the role, and database, that a compute is made with */

/*
 * At rest (suspended, active, frozen, failed), or on the way somewhere: a state on the
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
	int64_t since; /* when it reached its state */
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

typedef enum IntervalKind {
	INTERVAL_NONE, /* time that is not recorded */
	INTERVAL_ACTIVE,
	INTERVAL_FROZEN, /* recorded, and free */
} IntervalKind;

/* One stretch of time during which a compute was active, or frozen, with one size. */
typedef struct Interval {
	int64_t id;
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	char incarnation[INCARNATION_SIZE];
	IntervalKind kind;
	int size;
	int64_t started_at, last_seen;
	int64_t ended_at;     /* 0 while it is open */
	int64_t started_boot; /* on the clock since boot; 0 if the machine was booted since */
	int64_t cpu_start;    /* what its server had used of CPUs before; -1: not known */
	int64_t cpu_us;       /* and has used since */
} Interval;

/*
 * A role or a database that a compute's server is to have.  pending is what the
 * server has not been told yet: "" nothing, "put", or "drop".
 */
typedef struct Role {
	char compute_id[ID_SIZE], name[ID_SIZE];
	char verifier[SECRET_SIZE];     /* SCRAM-SHA-256 */
	char mysql_hash[WORD_SIZE * 4]; /* mysql_native_password */
	int64_t created_at;
	char pending[WORD_SIZE];
	char failure[FAILURE_SIZE]; /* why the server could not be told; in memory alone */
} Role;

typedef struct OwnedDatabase {
	char compute_id[ID_SIZE], name[ID_SIZE], owner[ID_SIZE];
	int64_t created_at;
	char pending[WORD_SIZE];
	char failure[FAILURE_SIZE];
} OwnedDatabase;

/* A bearer token, known by its hash alone. */
typedef struct Token {
	char id[ID_SIZE], hash[HASH_SIZE], scope[WORD_SIZE];
	char project_id[ID_SIZE]; /* whose it is, if its scope is a project's */
	char name[NAME_SIZE];
	int64_t created_at;
} Token;

/* How much a compute had on disk at one moment. */
typedef struct StorageSample {
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	int64_t at, bytes;
} StorageSample;

/* Bytes between clients and a compute: as a proxy counts them since its epoch, or of an hour. */
typedef struct Traffic {
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	char epoch[ID_SIZE];
	int64_t hour; /* when it began */
	int64_t received, sent;
} Traffic;

/* Who kept a compute awake in an hour, and for how long. */
typedef struct AwakeCause {
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	int64_t hour;
	char kind[WORD_SIZE], role[ID_SIZE], application[ID_SIZE], network[ID_SIZE];
	int64_t active_us;
} AwakeCause;

/* What was used in an hour, as it was published. */
typedef struct UsageHour {
	char project_id[ID_SIZE], compute_id[ID_SIZE];
	int64_t hour;
	int64_t active_us, frozen_us;
	int64_t compute_us; /* time × thousandths of a compute unit */
	int64_t cpu_us;
	int64_t storage_byte_seconds, proxied_bytes;
	int64_t revision; /* 1, and one more whenever it had to be corrected */
} UsageHour;

/* Something to be POSTed until it arrives; its key makes a second arrival harmless. */
typedef struct Letter {
	int64_t id;
	char key[URL_SIZE], url[URL_SIZE];
	char body[LETTER_SIZE];
	int64_t created_at, attempts, next_at;
} Letter;

/* What was answered to a request with an Idempotency-Key. */
typedef struct PastAnswer {
	char key_hash[HASH_SIZE], request_hash[HASH_SIZE];
	char resource_id[ID_SIZE]; /* what the request made, or "" */
	int status;                /* 0: the answer was not written down */
	char sealed[SEALED_SIZE];  /* the body, sealed with the key; "" if it was too long */
	int64_t at;
} PastAnswer;

/* Which life of which control process is in charge. */
typedef struct Leadership {
	int64_t epoch, since;
	char url[URL_SIZE];
} Leadership;

/* "2026-11-21T17:00:00Z" of a moment in microseconds since 1970. */
#define TIME_TEXT_SIZE 32
void time_text(char out[TIME_TEXT_SIZE], int64_t at);

/* "suspended" and so on. */
const char *compute_state_word(ComputeState state);

/* COMPUTE_STATES if there is no such word. */
ComputeState compute_state_of_word(const char *word);

#endif
