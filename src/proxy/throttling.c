#include "throttling.h"

#include <string.h>

#include "model/throttle.h"
#include "sys/clock.h"
#include "worker.h"

size_t client_key(const ClientAddress *from, uint8_t out[CLIENT_KEY_MAX])
{
	size_t n = from->family == 4 ? 4 : from->family == 6 ? 8 : 0;

	memcpy(out, from->bytes, n);
	return n;
}

#define KEY_MAX (CLIENT_KEY_MAX + ROUTE_NAME_SIZE)

/*
 * Who guesses could make up a compute for each try, so it counts only where each
 * compute has secrets of its own; elsewhere the entry does.
 */
static const char *where(const Session *s)
{
	const Arrival *a = s->arrival;
	bool shared = !a->database->wake ||
		      (a->access->users && !conf_is(&s->conf->reveille.auth_type, "passthrough"));

	return shared ? a->database->name : a->compute;
}

static size_t make_key(const Session *s, uint8_t out[KEY_MAX])
{
	const char *name = where(s);
	size_t n = client_key(&s->arrival->from, out), k = strlen(name);

	memcpy(out + n, name, k);
	return n + k;
}

static ThrottleRule rule_of(const Session *s)
{
	return (ThrottleRule){.first_us = s->conf->reveille.login_throttle,
			      .most_us = s->conf->reveille.login_throttle_max};
}

int64_t login_pause(Session *s)
{
	ThrottleRule rule = rule_of(s);
	uint8_t key[KEY_MAX];
	size_t n = make_key(s, key);
	int64_t us = 0;

	if (rule.first_us > 0)
		us = throttle_enter(s->worker->shared, key, n, clock_us(), &rule,
				    &s->arrival->charged);
	return (us + 999) / 1000;
}

void login_failed(Session *s)
{
	ThrottleRule rule = rule_of(s);
	uint8_t key[KEY_MAX];
	size_t n = make_key(s, key);

	stat_add(&s->worker->cell->stats.logins_failed, 1);
	if (rule.first_us > 0 && !s->arrival->charged)
		throttle_failed(s->worker->shared, key, n, clock_us(), &rule);
}

void login_passed(Session *s)
{
	uint8_t key[KEY_MAX];
	size_t n = make_key(s, key);

	throttle_passed(s->worker->shared, key, n);
}
