/*
 * Why something failed: a code from faults.def, a sentence of detail, and where
 * there are any, the figures behind it and a hint on what to do.
 *
 * A function that can fail takes a Fault * last, returns false, and fills it.
 * A Fault holds no pointers, so it can be copied, kept, or lie in shared memory.
 * Pure code never logs; it fills a Fault and lets the edge decide.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

typedef enum FaultCode {
	FAULT_NONE = 0,
#define FAULT(name, ...) FAULT_##name,
#include "base/faults.def"
#undef FAULT
	FAULT_COUNT
} FaultCode;

typedef struct Fault {
	FaultCode code;
	char detail[256];
	char figures[200]; /* what was counted, measured or compared; empty if nothing was */
	char hint[160];    /* empty if there is nothing to say */
	char cause[160];   /* for the log alone: addresses and the like are no client's business */
} Fault;

typedef enum FaultLevel {
	FAULT_LEVEL_INFO,
	FAULT_LEVEL_WARNING,
	FAULT_LEVEL_ERROR,
} FaultLevel;

typedef struct FaultInfo {
	const char *name;
	const char *sqlstate; /* five characters */
	int mysql_number;
	int http_status;
	FaultLevel level;
	const char *text;
} FaultInfo;

/* Fills *f and returns false, so that a check reads "return fault_set(...)". */
bool fault_set(Fault *f, FaultCode code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds figures to a fault that was set; returns false as fault_set does. */
bool fault_figures(Fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds a hint to a fault that was set; returns false as fault_set does. */
bool fault_hint(Fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds a cause to a fault that was set; returns false as fault_set does. */
bool fault_cause(Fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const FaultInfo *fault_info(FaultCode code);

#endif
