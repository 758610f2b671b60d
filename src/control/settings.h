/*
 * What "config" of a project or a compute may hold: a JSON object whose members
 * are declared once, in settings.def.
 *
 * Checked when it comes in, kept as text, read again where it is used.  Pure, but for
 * one question while checking: whether this machine knows a time zone.
 */
#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "exempt.h"
#include "hours.h"
#include "quota.h"
#include "scale.h"

typedef enum SettingsOf { SETTINGS_OF_PROJECT, SETTINGS_OF_COMPUTE } SettingsOf;

#define SETTINGS_HOURS      8
#define SETTINGS_TIMES      16
#define SETTINGS_URL_SIZE   512
#define SETTINGS_MOST_BYTES (INT64_C(1) << 50)

typedef struct ProjectSettings {
	int64_t idle_timeout_ms; /* -1: what the configuration file says; 0: never */
	int64_t freeze_after_ms; /* the same */
	bool idle_clients_keep_awake, listeners_keep_awake, replication_keeps_awake;
	bool dry_run; /* never suspend, but say when it would have been */
	Exempt exempt;
	int n_keep_warm, n_wake_at;
	Hours keep_warm[SETTINGS_HOURS];
	WakeAt wake_at[SETTINGS_TIMES];

	int max_connections;
	int min_size, max_size; /* thousandths of a compute unit */
	bool has_max_size;      /* so that a compute's own config cannot ask for more */
	ScalePolicy scale;
	QuotaPolicy quota;
	char webhook_url[SETTINGS_URL_SIZE]; /* or "" */

	int connect_rate;  /* connections for each second, 0 for any */
	int connect_burst; /* connections at once before that holds */
} ProjectSettings;

typedef struct ComputeSettings {
	int cpu;        /* thousandths of a CPU, 0 if nobody said */
	int64_t memory; /* bytes, 0 if nobody said */
} ComputeSettings;

/* FAULT_BAD_VALUE names the first member that is unknown or has a bad value. */
bool settings_check(SettingsOf of, const json_t *config, Fault *why);

/* Text that settings_check() passed. */
ProjectSettings settings_of_project(const char *config);
ComputeSettings settings_of_compute(const char *config);

/* From where a project's computes may be reached: a list of texts, empty for anywhere. */
json_t *settings_allowed_ips(const char *config);

/* The members of `changes` in place of those of `config`; null removes one. A new reference. */
json_t *settings_merge(const char *config, const json_t *changes);

/* "250m", "0.5", 2 → thousandths; "256MB", "1Gi", 1048576 → bytes; -1 if it is neither. */
int settings_cpu(const json_t *value);
int64_t settings_bytes(const json_t *value);

#endif
