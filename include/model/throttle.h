/*
 * The throttle: after a failed login the next one of the same address at the same
 * compute has to wait, and after each further one twice as long.
 *
 * A throttle is one number, until when and after how many failures, in a memo.
 * So what is forgotten first is the shortest pause: who sprays names to be
 * forgotten himself would have to fail as often at each of them.
 */
#ifndef MODEL_THROTTLE_H
#define MODEL_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Shared Shared;

typedef struct ThrottleRule {
	int64_t first_us; /* the pause after the first failure; 0: none ever */
	int64_t most_us;  /* no pause is longer */
} ThrottleRule;

/*
 * How long, in microseconds, who comes now has to wait: 0 if there was no failure
 * or its pause is over.  now_us is the machine's monotonic clock; keys are bytes.
 */
int64_t throttle_wait(Shared *sh, const void *key, size_t size, int64_t now_us);

/*
 * A login has failed.  Failures are forgotten when, since the end of the last
 * pause, ten times that pause and at least a minute have gone by.
 */
void throttle_failed(Shared *sh, const void *key, size_t size, int64_t now_us,
		     const ThrottleRule *rule);

/*
 * As throttle_wait(), for one who is about to try: if he may, and there were
 * failures before, his try counts as one (*charged) until throttle_passed(), so
 * that many who come at once have one try between them.
 */
int64_t throttle_enter(Shared *sh, const void *key, size_t size, int64_t now_us,
		       const ThrottleRule *rule, bool *charged);

/* A login was good, so earlier failures are forgotten. */
void throttle_passed(Shared *sh, const void *key, size_t size);

#endif
