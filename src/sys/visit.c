#include "visit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RECEIVE      16384
#define AHEAD_MAX    65536 /* bytes that may come before their turn */
#define LINGER_MS    2000
#define DEAD_MS      30000 /* without an acknowledgement of what was sent */
#define LEAST_READ   65536 /* in answer_ms, of a large answer */
#define CONTINUE_100 "HTTP/1.1 100 Continue\r\n\r\n"

static void set_stage(Visit *v, VisitStage stage, int64_t ms)
{
	v->stage = stage;
	if (ms > 0)
		timer_arm(&v->deadline, ms);
	else
		timer_stop(&v->deadline);
}

static void free_visit(void *arg)
{
	Visit *v = arg;

	buf_free(&v->in);
	buf_free(&v->body_bytes);
	http_head_free(&v->head);
	free(v);
}

void visit_trust(Visit *v)
{
	if (!v->stranger)
		return;
	v->stranger = false;
	v->server->n_strangers--;
	TAILQ_REMOVE(&v->server->strangers, v, among_strangers);
}

/* Whoever is not known may stay until others come who are not known either. */
static void add_stranger(Visit *v)
{
	HttpServer *s = v->server;

	if (s->setup.limits.max_strangers == 0)
		return;
	v->stranger = true;
	TAILQ_INSERT_TAIL(&s->strangers, v, among_strangers);
	if (++s->n_strangers > s->setup.limits.max_strangers)
		visit_end(TAILQ_FIRST(&s->strangers), true);
}

void visit_end(Visit *v, bool tell)
{
	Request *r = v->request;
	bool waits = v->stage == VISIT_WAITING;

	if (v->stage == VISIT_OVER)
		return;
	set_stage(v, VISIT_OVER, 0);
	timer_stop(&v->soon);
	stream_close(&v->stream);
	LIST_REMOVE(v, link);
	visit_trust(v);
	v->request = NULL;
	loop_bury(v->server->loop, v, free_visit);
	serve_visit_ended(v->server);
	if (r && waits)
		request_leave(r, tell);
	else if (r)
		request_free(r);
}

void visit_break(Visit *v)
{
	v->broken = true;
	timer_arm(&v->soon, 0);
}

/* A stream's reader may be behind, but not for long. */
void visit_send(Visit *v, Span bytes)
{
	if (v->broken)
		return;
	if (!stream_send(&v->stream, bytes))
		visit_break(v);
	else if (v->stage == VISIT_WAITING && stream_is_blocked(&v->stream) &&
		 !timer_is_armed(&v->deadline))
		timer_arm(&v->deadline, v->server->setup.limits.answer_ms);
}

/* ---- what cannot be read ----------------------------------------------- */

/* Whatever follows is not to be read as a request. */
static void refuse(Visit *v, const HttpProblem *problem)
{
	Request *r = v->request ? v->request : request_new(v);
	char body[400];

	snprintf(body, sizeof(body),
		 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}",
		 http_reason(problem->status), problem->status, problem->detail);
	v->request = r;
	v->stage = VISIT_WAITING;
	v->keep = false;
	request_answer(r, problem->status, "application/problem+json", span_of_text(body));
}

/* ---- requests ---------------------------------------------------------- */

/* Whoever answers now has not read the body, so nothing behind it can be read either. */
static bool is_let_in(Visit *v)
{
	const ServeSetup *setup = &v->server->setup;
	bool keep = v->keep;

	v->keep = keep && !v->head.chunked && v->head.length == 0;
	v->stage = VISIT_WAITING;
	if (setup->on_head && !setup->on_head(setup->arg, v->request))
		return false;
	v->keep = keep;
	v->stage = VISIT_ARRIVING;
	return true;
}

static bool begin_request(Visit *v)
{
	static const HttpProblem too_large = {413, "the body is too large"};
	HttpProblem problem;
	HttpVerdict verdict = http_head_read(&v->head, buf_span(&v->in), &problem);

	if (verdict == HTTP_BAD)
		refuse(v, &problem);
	if (verdict != HTTP_DONE)
		return false;
	buf_take(&v->in, v->head.size);
	v->keep = v->head.keep;
	v->request = request_new(v);
	if (!is_let_in(v))
		return false;
	if (v->head.length > (int64_t)v->server->setup.limits.max_body) {
		refuse(v, &too_large);
		return false;
	}
	http_body_begin(&v->body, &v->head);
	if (v->head.expects && buf_size(&v->in) == 0)
		visit_send(v, span_of_text(CONTINUE_100));
	return true;
}

static void dispatch(Visit *v)
{
	const ServeSetup *setup = &v->server->setup;

	set_stage(v, VISIT_WAITING, 0);
	setup->on_request(setup->arg, v->request);
}

static void read_body(Visit *v)
{
	HttpProblem problem;
	size_t used;
	HttpVerdict verdict =
		http_body_read(&v->body, buf_span(&v->in), &used, v->server->setup.limits.max_body,
			       &v->body_bytes, &problem);

	buf_take(&v->in, used);
	if (verdict == HTTP_BAD)
		refuse(v, &problem);
	else if (verdict == HTTP_DONE)
		dispatch(v);
}

/* Reads what is there as far as it goes; an answer that comes at once lets it go on. */
static void advance(Visit *v)
{
	size_t before = 0;

	if (v->advancing)
		return;
	v->advancing = true;
	while (v->stage == VISIT_ARRIVING && buf_size(&v->in) != before) {
		before = buf_size(&v->in);
		if (v->request || begin_request(v))
			read_body(v);
	}
	v->advancing = false;
}

/* ---- after an answer --------------------------------------------------- */

static void linger(Visit *v)
{
	stream_end(&v->stream);
	buf_free(&v->in);
	set_stage(v, VISIT_LINGERING, LINGER_MS);
	if (v->ended)
		visit_end(v, false);
	else
		stream_read_on(&v->stream);
}

static void begin_next(Visit *v)
{
	const ServeLimits *limits = &v->server->setup.limits;

	if (buf_size(&v->in) == 0) {
		set_stage(v, VISIT_IDLE, limits->idle_ms);
	} else {
		set_stage(v, VISIT_ARRIVING, limits->request_ms);
		if (!v->advancing)
			timer_arm(&v->soon, 0);
	}
	if (!v->ended)
		stream_read_on(&v->stream);
	else if (v->stage == VISIT_IDLE)
		visit_end(v, false);
}

static void go_on(Visit *v)
{
	if (v->keep)
		begin_next(v);
	else
		linger(v);
}

static void await_reader(Visit *v)
{
	v->owed = buf_size(&v->stream.out);
	set_stage(v, VISIT_SENDING, v->server->setup.limits.answer_ms);
}

void visit_answered(Visit *v)
{
	v->request = NULL;
	http_head_free(&v->head);
	buf_free(&v->body_bytes);
	if (v->broken || stream_is_blocked(&v->stream))
		await_reader(v);
	else
		go_on(v);
}

/* ---- events ------------------------------------------------------------ */

/*
 * Who has asked and says no more may still read, unless his going is waited for: of a
 * client that hangs up no more can be seen.
 */
static void hear_end(Visit *v)
{
	v->ended = true;
	stream_read_off(&v->stream);
	if ((v->stage == VISIT_WAITING && !request_minds(v->request)) || v->stage == VISIT_SENDING)
		return;
	visit_end(v, true);
}

static void hear(Visit *v, Span bytes)
{
	if (v->stage == VISIT_LINGERING)
		return;
	buf_append(&v->in, bytes);
	if (v->stage == VISIT_IDLE)
		set_stage(v, VISIT_ARRIVING, v->server->setup.limits.request_ms);
	advance(v);
	if (v->stage != VISIT_ARRIVING && buf_size(&v->in) > AHEAD_MAX)
		stream_read_off(&v->stream);
}

static void receive(Visit *v)
{
	uint8_t bytes[RECEIVE];
	ssize_t n = stream_recv(&v->stream, bytes, sizeof(bytes));

	if (n > 0)
		hear(v, (Span){bytes, (size_t)n});
	else if (n == 0)
		hear_end(v);
	else if (n == STREAM_ERROR)
		visit_end(v, true);
}

static void on_event(void *arg, StreamEvent what)
{
	Visit *v = arg;

	switch (what) {
	case STREAM_READABLE:
		receive(v);
		return;
	case STREAM_DRAINED:
		if (v->stage == VISIT_SENDING)
			go_on(v);
		else if (v->stage == VISIT_WAITING)
			timer_stop(&v->deadline);
		return;
	case STREAM_SECURED:
		set_stage(v, VISIT_IDLE, v->server->setup.limits.idle_ms);
		return;
	case STREAM_BROKEN:
		visit_end(v, true);
		return;
	}
}

static void on_soon(void *arg)
{
	Visit *v = arg;

	if (v->broken)
		visit_end(v, true);
	else
		advance(v);
}

/* A reader of a large answer is given time as long as he reads. */
static void on_deadline(void *arg)
{
	Visit *v = arg;

	if (v->stage == VISIT_SENDING && buf_size(&v->stream.out) + LEAST_READ <= v->owed)
		await_reader(v);
	else
		visit_end(v, true);
}

void visit_begin(HttpServer *s, int fd, const Address *peer, bool secure)
{
	static const KeepAlive keep_alive = {
		.on = true, .count = 4, .idle_s = 60, .interval_s = 15};
	Visit *v = NEW(Visit);

	v->server = s;
	v->peer = *peer;
	LIST_INSERT_HEAD(&s->visits, v, link);
	timer_init(&v->deadline, s->loop, on_deadline, v);
	timer_init(&v->soon, s->loop, on_soon, v);
	stream_open(&v->stream, s->loop, fd, on_event, v);
	stream_tune(&v->stream, &keep_alive);
	add_stranger(v);
	if (!secure) {
		set_stage(v, VISIT_IDLE, s->setup.limits.idle_ms);
		stream_read_on(&v->stream);
		return;
	}
	set_stage(v, VISIT_SHAKING, s->setup.limits.request_ms);
	stream_secure(&v->stream, tls_from_client(s->setup.tls, false), (Span){NULL, 0});
}
