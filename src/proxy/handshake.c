#include "handshake.h"

#include "sys/clock.h"
#include "worker.h"

#define CROWDED_MS 2000 /* that a handshake may take while another waits for its place, */
#define PRESSED_MS 500  /* and while very many do */

static void start(Session *s)
{
	Worker *w = s->worker;
	Handshake *h = &s->arrival->handshake;

	h->state = HANDSHAKE_RUNS;
	h->since_ms = clock_ms();
	TAILQ_INSERT_TAIL(&w->handshakes, s, handshakes);
	w->n_handshakes++;
	session_secure(s);
}

static int64_t patience_ms(const Worker *w)
{
	int64_t ms = CROWDED_MS / w->n_handshakes_waiting;

	return ms > PRESSED_MS ? ms : PRESSED_MS;
}

/* The oldest stands first; it is ended if it has had its time and somebody waits. */
static void look(Worker *w)
{
	Session *oldest = TAILQ_FIRST(&w->handshakes);
	int64_t left;
	Fault why;

	if (TAILQ_EMPTY(&w->handshakes_waiting) || !oldest)
		return;
	left = oldest->arrival->handshake.since_ms + patience_ms(w) - clock_ms();
	if (left > 0) {
		timer_arm(&w->handshake_look, left);
		return;
	}
	fault_set(&why, FAULT_LOGIN_TIMEOUT,
		  "the TLS handshake took too long while others waited for its place");
	session_refuse(oldest, &why);
}

static void on_look(void *arg)
{
	look(arg);
}

void handshakes_init(Worker *w)
{
	TAILQ_INIT(&w->handshakes);
	TAILQ_INIT(&w->handshakes_waiting);
	timer_init(&w->handshake_look, w->loop, on_look, w);
}

void handshake_begin(Session *s)
{
	Worker *w = s->worker;
	Handshake *h = &s->arrival->handshake;

	if (w->n_handshakes < w->conf->reveille.client_tls_max_handshakes) {
		start(s);
		return;
	}
	h->state = HANDSHAKE_WAITS;
	stream_read_off(&s->client.stream);
	TAILQ_INSERT_TAIL(&w->handshakes_waiting, s, handshakes);
	w->n_handshakes_waiting++;
	look(w);
}

static void stop_waiting(Session *s)
{
	TAILQ_REMOVE(&s->worker->handshakes_waiting, s, handshakes);
	s->worker->n_handshakes_waiting--;
}

static void start_next(Worker *w)
{
	Session *next = TAILQ_FIRST(&w->handshakes_waiting);

	if (!next)
		return;
	stop_waiting(next);
	start(next);
	look(w);
}

void handshake_end(Session *s)
{
	Worker *w = s->worker;
	Handshake *h = &s->arrival->handshake;
	HandshakeState was = h->state;

	h->state = HANDSHAKE_NONE;
	if (was == HANDSHAKE_WAITS)
		stop_waiting(s);
	if (was != HANDSHAKE_RUNS)
		return;
	TAILQ_REMOVE(&w->handshakes, s, handshakes);
	w->n_handshakes--;
	start_next(w);
}
