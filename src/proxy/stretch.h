/*
 * Making keys of passwords (PBKDF2), a slice at a time.
 *
 * A password costs thousands of hashes, on purpose.  The work is done in slices
 * between the loop's other work, and tenants take turns, so that one who asks
 * for much waits for himself alone.  Keys of passwords that the operator gave us
 * are kept, so that the work is done once for each salt.
 */
#ifndef PROXY_STRETCH_H
#define PROXY_STRETCH_H

#include "proto/scram.h"
#include "sys/loop.h"

typedef struct Stretcher Stretcher;
typedef struct Stretch Stretch;

typedef struct StretchOrder {
	const char *tenant, *password;
	const uint8_t *salt;
	size_t salt_size; /* at most SCRAM_SALT_MAX */
	int iterations;   /* at most SCRAM_ITERATIONS_MAX */
	bool keep;        /* the password is not a stranger's */
	void (*on_keys)(void *arg, const ScramKeys *keys);
	void *arg;
} StretchOrder;

Stretcher *stretcher_new(Loop *loop);

/* Orders that are left are dropped. */
void stretcher_free(Stretcher *s);

/* Whether keys of that password and salt are there already. */
bool stretch_now(Stretcher *s, const StretchOrder *order, ScramKeys *keys);

/* Makes them for later, without a callback, as far as there is room to keep them. */
void stretch_ahead(Stretcher *s, const StretchOrder *order);

/* Takes an order; everything in it is copied. Never calls back before it returns. */
Stretch *stretch(Stretcher *s, const StretchOrder *order);

/* There will be no call back. */
void stretch_cancel(Stretch *job);

#endif
