#include "credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "access_answer.h"
#include "auth_query.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/doubt.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "worker.h"

#define KEPT_MAX  4096 /* credentials; beyond it the oldest that nobody waits for goes */
#define LOOKED_AT 256  /* of them, to find the one that goes */
#define FRESH_MS  1000 /* so young that a failed login is no reason to ask again */
#define ANSWER_MS 10000

struct CredentialWait {
	Credential *credential;
	void (*on_credential)(void *arg, const CredentialInfo *info, const Fault *why);
	void *arg;
	TAILQ_ENTRY(CredentialWait) waits;
};

/* Of one user at one compute. */
struct Credential {
	Credentials *all;
	char *key;
	bool known;    /* learnt_ms says since when; else it is being asked for, or was in vain */
	bool missing;  /* what is known is that there is no such compute */
	bool settling; /* those who wait are being told */
	AccessAnswer access;
	char *secret; /* of auth_query, if the control plane had none; or NULL */
	int64_t learnt_ms;
	int64_t asked_ms; /* when the question was put whose answer that is, or will be */
	Fetch *fetch;
	AuthQuestion *question;
	/* For the sources that come later. */
	const Config *conf;
	const Database *database;
	bool rules_only;
	char compute[ROUTE_NAME_SIZE], user[USERLIST_NAME_MAX];
	TAILQ_HEAD(, CredentialWait) waits;
	UT_hash_handle hh;
};

struct Credentials {
	Worker *worker;
	Credential *table; /* oldest first, as uthash keeps them */
	AuthBases bases;
};

Credentials *credentials_new(Worker *w)
{
	Credentials *c = NEW(Credentials);

	c->worker = w;
	SLIST_INIT(&c->bases);
	return c;
}

static void clear(Credential *c)
{
	network_list_free(&c->access.networks);
	explicit_bzero(&c->access, sizeof(c->access));
	mem_wipe_text(c->secret);
	c->secret = NULL;
	c->known = c->missing = false;
}

static void stop_asking(Credential *c)
{
	if (c->fetch)
		fetch_cancel(c->fetch);
	if (c->question)
		auth_query_forget(c->question);
	if (c->conf)
		conf_release(c->conf);
	c->fetch = NULL;
	c->question = NULL;
	c->conf = NULL;
}

static void remove_credential(Credential *c)
{
	stop_asking(c);
	clear(c);
	HASH_DEL(c->all->table, c);
	free(c->key);
	free(c);
}

void credentials_free(Credentials *all)
{
	Credential *c, *next;

	HASH_ITER(hh, all->table, c, next)
	remove_credential(c);
	auth_bases_free(&all->bases);
	free(all);
}

static char *make_key(const CredentialWish *wish)
{
	const char *user = wish->rules_only ? "" : wish->user;
	size_t n = strlen(wish->compute) + strlen(user) + 24;
	char *key = mem_new(n, 1);

	/* With the length of the compute's name nothing in it can be taken for what follows. */
	snprintf(key, n, "%zu%c%s/%s", strlen(wish->compute), wish->rules_only ? ' ' : '/',
		 wish->compute, user);
	return key;
}

static Credential *find(Credentials *all, const CredentialWish *wish)
{
	char *key = make_key(wish);
	Credential *c;

	HASH_FIND_STR(all->table, key, c);
	free(key);
	return c;
}

static bool is_fresh(const Credential *c, const Config *conf)
{
	conf_time ttl =
		c->missing ? conf->reveille.wake_negative_ttl : conf->reveille.auth_cache_ttl;

	return c->known && clock_ms() - c->learnt_ms < conf_ms(ttl) &&
	       c->asked_ms > doubt_since(c->all->worker->shared, c->compute);
}

static CredentialInfo info_of(const Credential *c)
{
	const char *secret = *c->access.secret ? c->access.secret : c->secret;

	return (CredentialInfo){.secret = secret,
				.networks = &c->access.networks,
				.connect_rate = c->access.connect_rate,
				.connect_burst = c->access.connect_burst};
}

static bool control_plane_applies(const CredentialWish *wish)
{
	return wish->database->wake && conf_is(&wish->conf->wake.provider, "control_plane");
}

bool credential_now(Credentials *all, const CredentialWish *wish, CredentialInfo *info)
{
	const Credential *c;

	*info = (CredentialInfo){0};
	if (!wish->rules_only)
		info->secret = access_secret(wish->access, wish->user);
	if (info->secret || strlen(wish->user) >= USERLIST_NAME_MAX)
		return true;
	if (!control_plane_applies(wish) &&
	    (wish->rules_only || !auth_query_applies(wish->conf, wish->database)))
		return true;
	c = find(all, wish);
	if (!c || !is_fresh(c, wish->conf))
		return false;
	*info = info_of(c);
	return true;
}

/* Tells all who wait; who is told may ask anew, and gets a place of his own. */
static void settle(Credential *c, const Fault *why)
{
	CredentialInfo info = info_of(c);

	stop_asking(c);
	c->settling = true;
	while (!TAILQ_EMPTY(&c->waits)) {
		CredentialWait *wait = TAILQ_FIRST(&c->waits);

		TAILQ_REMOVE(&c->waits, wait, waits);
		wait->on_credential(wait->arg, why ? NULL : &info, why);
		free(wait);
	}
	c->settling = false;
}

static void learnt(Credential *c)
{
	c->known = true;
	c->learnt_ms = clock_ms();
	settle(c, NULL);
}

/* What was known before is better than nothing, as long as nobody says otherwise. */
static void failed(Credential *c, const Fault *why)
{
	settle(c, c->known ? NULL : why);
}

static void on_secret(void *arg, const char *secret, const char *error)
{
	Credential *c = arg;
	Fault why;

	c->question = NULL;
	if (error) {
		fault_set(&why, FAULT_MISCONFIGURED, "the user's secret could not be looked up");
		fault_cause(&why, "auth_query: %s", error);
		failed(c, &why);
		return;
	}
	mem_wipe_text(c->secret);
	c->secret = secret ? mem_text(secret) : NULL;
	learnt(c);
}

static void ask_database(Credential *c)
{
	if (auth_query_applies(c->conf, c->database))
		c->question = auth_query_ask(c->all->worker, &c->all->bases, c->conf, c->database,
					     c->user, on_secret, c);
	else
		learnt(c);
}

/*
 * No such compute, and so nobody who could prove anything: he is asked just the
 * same, or strangers would learn which computes there are, and who is in a file.
 */
static void missed(Credential *c, const Fault *why)
{
	log_debug("nobody is known at a compute that there is not: compute=%s error=\"%s\"",
		  c->compute, why->detail);
	clear(c);
	c->missing = true;
	learnt(c);
}

static void on_access(void *arg, const FetchAnswer *fetched)
{
	Credential *c = arg;
	AccessAnswer answer;
	Fault why;

	c->fetch = NULL;
	if (!access_judge(fetched, c->compute, &answer, &why)) {
		network_list_free(&answer.networks);
		if (why.code == FAULT_NO_ROUTE)
			missed(c, &why);
		else
			failed(c, &why);
		return;
	}
	clear(c);
	c->access = answer;
	explicit_bzero(&answer, sizeof(answer));
	if (*c->access.secret || c->rules_only)
		learnt(c);
	else
		ask_database(c);
}

static void ask_control_plane(Credential *c)
{
	char url[1600], role[3 * USERLIST_NAME_MAX + 8];
	FetchCall call = {.url = url,
			  .ca_file = c->conf->wake.ca_file.s,
			  .token = c->all->worker->token,
			  .connect_ms = ANSWER_MS / 2,
			  .total_ms = ANSWER_MS,
			  .on_answer = on_access,
			  .arg = c};

	text_percent_encode(role, sizeof(role), c->rules_only ? "-" : c->user);
	snprintf(url, sizeof(url), "%s/get_endpoint_access_control?endpointish=%s&role=%s",
		 c->conf->wake.control_plane_url.s, c->compute, role);
	c->fetch = fetch(c->all->worker->fetcher, &call);
}

static bool has_secret(const Credential *c)
{
	return *c->access.secret || c->secret;
}

/* Names that a stranger made up must not push out those of true users. */
static void make_room(Credentials *all)
{
	Credential *c, *next, *victim = NULL;
	int looked = 0;

	if (HASH_COUNT(all->table) < KEPT_MAX)
		return;
	HASH_ITER(hh, all->table, c, next)
	{
		if (!TAILQ_EMPTY(&c->waits) || c->conf || c->settling)
			continue;
		if (!victim || (has_secret(victim) && !has_secret(c)))
			victim = c;
		if (!has_secret(victim) || ++looked == LOOKED_AT)
			break;
	}
	if (victim)
		remove_credential(victim);
}

static Credential *make(Credentials *all, const CredentialWish *wish)
{
	Credential *c = NEW(Credential);

	make_room(all);
	c->all = all;
	c->key = make_key(wish);
	text_copy(c->compute, sizeof(c->compute), wish->compute);
	text_copy(c->user, sizeof(c->user), wish->user);
	TAILQ_INIT(&c->waits);
	HASH_ADD_KEYPTR(hh, all->table, c->key, strlen(c->key), c);
	return c;
}

static void begin_asking(Credential *c, const CredentialWish *wish)
{
	c->conf = conf_hold(wish->conf);
	c->database = wish->database;
	c->rules_only = wish->rules_only;
	c->asked_ms = clock_ms();
	if (control_plane_applies(wish))
		ask_control_plane(c);
	else
		ask_database(c);
}

CredentialWait *credential_ask(Credentials *all, const CredentialWish *wish)
{
	Credential *c = find(all, wish);
	CredentialWait *wait = NEW(CredentialWait);

	if (!c)
		c = make(all, wish);
	*wait = (CredentialWait){
		.credential = c, .on_credential = wish->on_credential, .arg = wish->arg};
	TAILQ_INSERT_TAIL(&c->waits, wait, waits);
	if (!c->conf)
		begin_asking(c, wish);
	return wait;
}

/* Who leaves last takes the question along: made-up names of clients long gone cost nobody. */
void credential_forget(CredentialWait *wait)
{
	Credential *c = wait->credential;

	TAILQ_REMOVE(&c->waits, wait, waits);
	free(wait);
	if (!TAILQ_EMPTY(&c->waits) || c->settling)
		return;
	if (c->known)
		stop_asking(c);
	else
		remove_credential(c);
}

void credential_doubt(Credentials *all, const CredentialWish *wish)
{
	Credential *c = find(all, wish);

	if (c && c->known && clock_ms() - c->learnt_ms > FRESH_MS)
		c->learnt_ms = 0;
}
