#include "charge.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/past.h"
#include "base/text.h"
#include "conf/where.h"
#include "controller.h"
#include "heartbeat.h"
#include "keyring.h"
#include "recall.h"
#include "reconcile.h"
#include "sys/log.h"

#define MAX_CONNECTIONS 20000
#define MAX_STRANGERS   2000 /* with TLS each takes some 40 KiB */
#define MAX_BODY        (1 << 20)
#define MAX_BACKLOG     (1 << 20)
#define REQUEST_MS      30000
#define IDLE_MS         60000
#define ANSWER_MS       30000
#define RETRY_MS        1000

static void serve(Controller *c)
{
	ServeSetup setup = {.listeners = c->setup.listeners,
			    .tls = c->tls,
			    .limits = {.max_connections = MAX_CONNECTIONS,
				       .max_strangers = MAX_STRANGERS,
				       .max_body = MAX_BODY,
				       .max_backlog = MAX_BACKLOG,
				       .request_ms = REQUEST_MS,
				       .idle_ms = IDLE_MS,
				       .answer_ms = ANSWER_MS},
			    .on_head = api_on_head,
			    .on_request = api_on_request,
			    .arg = c};

	if (!c->http)
		c->http = serve_open(c->loop, &setup);
}

/* ---- what the store holds ---------------------------------------------- */

static void on_tokens(Controller *c, const Fault *why)
{
	if (why)
		die("could not read the tokens: error=\"%s\"", why->detail);
	c->standing = STANDING_IN_CHARGE;
	serve(c);
	past_sweep(c);
	log_info("the control plane is ready: computes=%u store=\"%s\"", HASH_COUNT(c->fleet.units),
		 store_path(c->conf->control.store.s) ? c->conf->control.store.s : "PostgreSQL");
}

/* Each compute goes on where it was. */
static void on_intervals(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;
	Unit *u, *next;

	if (why)
		die("could not read what is being metered: error=\"%s\"", why->detail);
	ledger_resume(c, rows->intervals, rows->n);
	HASH_ITER(hh, c->fleet.units, u, next)
	{
		reconcile(u);
	}
	heartbeat(c);
	allowance_look_soon(c);
	c->outbox = outbox_new(c);
	c->rollup = rollup_new(c);
	keyring_load(c, on_tokens);
}

static void on_databases(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	if (why)
		die("could not read the databases: error=\"%s\"", why->detail);
	for (int i = 0; i < rows->n; i++) {
		Unit *u = fleet_compute(&c->fleet, rows->databases[i].compute_id);

		if (u)
			roster_put_database(&u->roster, &rows->databases[i]);
	}
	store_interval_open(c->store, (StoreCall){on_intervals, c});
}

static void on_roles(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	if (why)
		die("could not read the roles: error=\"%s\"", why->detail);
	for (int i = 0; i < rows->n; i++) {
		Unit *u = fleet_compute(&c->fleet, rows->roles[i].compute_id);

		if (u)
			roster_put_role(&u->roster, &rows->roles[i]);
	}
	store_database_list(c->store, "", (StoreCall){on_databases, c});
}

static void on_computes(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	if (why)
		die("could not read the computes: error=\"%s\"", why->detail);
	for (int i = 0; i < rows->n; i++)
		fleet_add(c, &rows->computes[i]);
	store_role_list(c->store, "", (StoreCall){on_roles, c});
}

static void on_projects(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;
	Page all = {0};

	if (why)
		die("could not read the projects: error=\"%s\"", why->detail);
	for (int i = 0; i < rows->n; i++)
		fleet_set_project(&c->fleet, &rows->projects[i]);
	store_compute_list(c->store, &all, (StoreCall){on_computes, c});
}

/* ---- who is in charge -------------------------------------------------- */

static void on_taken_over(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;
	Page all = {0};

	if (why) {
		log_warning("could not take over, trying again: error=\"%s\"", why->detail);
		serve(c);
		timer_arm(&c->charge, RETRY_MS);
		return;
	}
	c->store->epoch = rows->leadership[0].epoch;
	log_info("this control plane is in charge: epoch=%lld", (long long)c->store->epoch);
	store_project_list(c->store, &all, (StoreCall){on_projects, c});
}

/* "127.0.0.1:8081, /run/x.sock" → "http://127.0.0.1:8081" */
static void own_url(const Controller *c, char out[URL_SIZE])
{
	const char *given = c->conf->control.advertise_url.s, *list = c->conf->control.listen.s;
	size_t n = strcspn(list, ", ");

	if (*given)
		text_copy(out, URL_SIZE, given);
	else if (*list == '/' || *list == '@')
		snprintf(out, URL_SIZE, "unix:%.*s:", (int)n, list);
	else
		snprintf(out, URL_SIZE, "%s://%.*s", c->tls ? "https" : "http", (int)n, list);
}

static void take_over(void *arg)
{
	Controller *c = arg;
	char url[URL_SIZE];

	own_url(c, url);
	store_take_over(c->store, url, (StoreCall){on_taken_over, c});
}

/* Who helps shows the tokens of his own tree to the one in charge, who finds them in the store. */
static void on_own_tokens(Controller *c, const Fault *why)
{
	(void)c;
	if (why)
		log_warning("could not read the tokens: error=\"%s\"", why->detail);
}

static void on_lead(void *arg, LeadNews news)
{
	Controller *c = arg;

	switch (news) {
	case LEAD_WON:
		c->standing = STANDING_NONE;
		take_over(c);
		return;
	case LEAD_OTHERS:
		c->standing = STANDING_HELPS;
		keyring_load(c, on_own_tokens);
		log_info("another control plane is in charge, and this one helps");
		serve(c);
		return;
	case LEAD_LOST:
		die("the lock of the one in charge is lost, so this control plane ends");
	case LEAD_DOUBTS:
		recall_soon(c);
		return;
	}
}

/*
 * A file is read in a moment; a database may be away or a disk full, and then whoever asks is told
 * to come again.
 */
void charge_begin(Controller *c)
{
	timer_init(&c->charge, c->loop, take_over, c);
	if (c->store->shared)
		serve(c);
	store_lead(c->store, on_lead, c);
}
