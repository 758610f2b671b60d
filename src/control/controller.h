/* The control process: everything it knows hangs from here. */
#ifndef CONTROL_CONTROLLER_H
#define CONTROL_CONTROLLER_H

#include "api/limit.h"
#include "charge.h"
#include "control/control.h"
#include "driver/driver.h"
#include "events.h"
#include "fleet.h"
#include "gate.h"
#include "ledger.h"
#include "outbox.h"
#include "rollup.h"
#include "store/store.h"
#include "sys/fetch.h"
#include "sys/loop.h"
#include "sys/serve.h"
#include "token.h"

struct Controller {
	ControlSetup setup;
	const Config *conf;
	Loop *loop;
	Store *store;
	int64_t store_tried_ms; /* when it was found out whether it takes writes */
	char store_trouble[sizeof(((Fault *)NULL)->detail)]; /* why it took none, or "" */
	Driver *driver;
	TlsContext *tls; /* of the API, or NULL */
	Fetcher *fetcher;
	Standing standing;
	char leader_url[URL_SIZE]; /* of the one in charge, as far as we know, or "" */
	HttpServer *http;          /* NULL until all that the store holds is known */
	Tokens tokens;
	char admin_token[TOKEN_SIZE];
	Limits limits;          /* of requests */
	struct Past *under_way; /* requests with an Idempotency-Key */
	Timer sweep;            /* of those that were answered */
	Fleet fleet;
	Events events;
	Gate starts;
	Timer charge, heartbeat, allowance, recall;
	AwakeRows awake, awake_sent; /* who kept computes awake: to be written, being written */
	Outbox *outbox;
	Rollup *rollup;
};

#endif
