#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "controller.h"
#include "sys/clock.h"
#include "sys/fetch.h"
#include "sys/log.h"

#define SECOND     INT64_C(1000000)
#define RETRY_MS   5000
#define MOST_MS    60000 /* the clock on the wall may be set */
#define AT_ONCE    48    /* letters that are on their way, to as many URLs */
#define READ       64    /* letters that are looked at, to as many URLs: more than AT_ONCE */
#define CONNECT_MS 5000
#define TOTAL_MS   15000
#define GIVE_UP    (14 * 86400 * SECOND)

/* A letter on its way. */
typedef struct Sending {
	Outbox *outbox;
	Letter letter;
	Fetch *call; /* NULL while the store is told how it went, or if the place is free */
	bool taken;
} Sending;

struct Outbox {
	Controller *c;
	Timer timer;
	bool reading;
	Sending sending[AT_ONCE];
};

int64_t outbox_pause_us(int64_t failures)
{
	return failures < 12 ? SECOND << failures : 3600 * SECOND;
}

/* ---- how it went ------------------------------------------------------- */

static void on_told(void *arg, const StoreRows *rows, const Fault *why)
{
	Sending *s = arg;

	(void)rows;
	if (why)
		log_warning("could not write what became of a letter, so it is sent again: "
			    "key=\"%s\" error=\"%s\"",
			    s->letter.key, why->detail);
	s->taken = false;
	timer_arm(&s->outbox->timer, 0);
}

static void drop(Sending *s)
{
	store_letter_arrived(s->outbox->c->store, s->letter.id, (StoreCall){on_told, s});
}

/* The log has no more of it than whose it is: a URL may hold a secret. */
static void try_later(Sending *s, const FetchAnswer *answer)
{
	int64_t now = wall_us();

	if (now - s->letter.created_at > GIVE_UP) {
		log_error("a letter did not arrive in fourteen days and is given up: key=\"%s\"",
			  s->letter.key);
		drop(s);
		return;
	}
	log_debug("a letter did not arrive, trying again: key=\"%s\" status=%d error=\"%s\"",
		  s->letter.key, answer->status, answer->error);
	store_letter_failed(s->outbox->c->store, s->letter.id,
			    now + outbox_pause_us(s->letter.attempts), answer->status == 0,
			    (StoreCall){on_told, s});
}

static void on_answer(void *arg, const FetchAnswer *answer)
{
	Sending *s = arg;

	s->call = NULL;
	if (answer->status / 100 == 2)
		drop(s);
	else
		try_later(s, answer);
}

/* ---- sending ----------------------------------------------------------- */

static void post(Sending *s)
{
	FetchCall call = {.url = s->letter.url,
			  .token = "",
			  .post = s->letter.body,
			  .headers = {{"Idempotency-Key", s->letter.key}},
			  .connect_ms = CONNECT_MS,
			  .total_ms = TOTAL_MS,
			  .on_answer = on_answer,
			  .arg = s};

	s->call = fetch(s->outbox->c->fetcher, &call);
}

static bool is_busy(const Outbox *o, const char *url)
{
	for (int i = 0; i < AT_ONCE; i++) {
		if (o->sending[i].taken && strcmp(o->sending[i].letter.url, url) == 0)
			return true;
	}
	return false;
}

static Sending *free_place(Outbox *o)
{
	for (int i = 0; i < AT_ONCE; i++) {
		if (!o->sending[i].taken)
			return &o->sending[i];
	}
	return NULL;
}

/* False if there is no place, or a letter to that URL is on its way; either ends with a look. */
static bool begin(Outbox *o, const Letter *l)
{
	Sending *s = free_place(o);

	if (!s)
		return false;
	if (!is_busy(o, l->url)) {
		*s = (Sending){.outbox = o, .letter = *l, .taken = true};
		post(s);
	}
	return true;
}

static void look_when(Outbox *o, int64_t at)
{
	int64_t ms = (at - wall_us()) / 1000 + 1;

	timer_arm(&o->timer, ms < MOST_MS ? ms : MOST_MS);
}

/* In the order of their times: after the first whose time is to come there is none that is due. */
static void on_letters(void *arg, const StoreRows *rows, const Fault *why)
{
	Outbox *o = arg;
	int64_t now = wall_us();

	o->reading = false;
	if (why) {
		log_warning("could not read the outbox, trying again: error=\"%s\"", why->detail);
		timer_arm(&o->timer, RETRY_MS);
	}
	for (int i = 0; !why && i < rows->n; i++) {
		if (rows->letters[i].next_at > now) {
			look_when(o, rows->letters[i].next_at);
			return;
		}
		if (!begin(o, &rows->letters[i]))
			return;
	}
}

static void look(void *arg)
{
	Outbox *o = arg;

	if (o->reading) {
		timer_arm(&o->timer, 1);
		return;
	}
	o->reading = true;
	store_letter_list(o->c->store, INT64_MAX, READ, (StoreCall){on_letters, o});
}

Outbox *outbox_new(Controller *c)
{
	Outbox *o = NEW(Outbox);

	o->c = c;
	timer_init(&o->timer, c->loop, look, o);
	look(o);
	return o;
}

void outbox_look(Outbox *o)
{
	timer_arm(&o->timer, 0);
}

/* ---- writing ----------------------------------------------------------- */

bool letter_write(Letter *l, const char *url, const char *key, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);
	bool fits = text_copy(l->body, sizeof(l->body), text);

	text_copy(l->url, sizeof(l->url), url);
	text_copy(l->key, sizeof(l->key), key);
	l->created_at = wall_us();
	free(text);
	json_decref(body);
	return fits;
}

static void on_written(void *arg, const StoreRows *rows, const Fault *why)
{
	Controller *c = arg;

	(void)rows;
	if (why)
		log_error("could not write a letter: error=\"%s\"", why->detail);
	outbox_look(c->outbox);
}

void outbox_send(Controller *c, const char *url, const char *key, json_t *body)
{
	Letter *l = NEW(Letter);

	if (letter_write(l, url, key, body))
		store_letter_add(c->store, l, (StoreCall){on_written, c});
	free(l);
}
