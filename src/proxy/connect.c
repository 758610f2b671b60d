#include "connect.h"

#include <string.h>

#include "base/text.h"
#include "proto/proxy_header.h"
#include "sys/clock.h"
#include "worker.h"

static void end_access(Connect *c)
{
	access_release(c->access);
	c->access = NULL;
}

static void finish(Connect *c, const Fault *why)
{
	dial_stop(&c->dial);
	timer_stop(&c->timer);
	buf_free(&c->header);
	end_access(c);
	if (why)
		stream_close(c->stream);
	else
		stream_read_off(c->stream);
	c->on_connected(c->arg, why);
}

static void failed(Connect *c, const char *reason)
{
	Fault why;

	fault_set(&why, FAULT_DIAL_FAILED, "%s", reason);
	finish(c, &why);
}

static void tls_failed(Connect *c)
{
	Fault why;

	if (!c->stream->tls) {
		failed(c, "the connection was closed before TLS");
		return;
	}
	tls_why(c->stream->tls, &why);
	why.code = FAULT_DIAL_FAILED;
	finish(c, &why);
}

static void act_on(Connect *c, TlsAnswer answer)
{
	if (answer == TLS_AGREED)
		stream_secure(c->stream, tls_to_server(c->access->computes, c->server_name),
			      (Span){0});
	else if (answer == TLS_NO_ANSWER)
		failed(c, "the server does not know the request for TLS");
	else if (c->tls_needed)
		failed(c, "the server has no TLS, but server_tls_sslmode asks for it");
	else
		finish(c, NULL);
}

/* One byte says whether TLS follows; what comes with it was sent by somebody in between. */
static void hear_answer(Connect *c)
{
	uint8_t answer[2];
	ssize_t n = stream_recv(c->stream, answer, sizeof(answer));

	if (n == STREAM_AGAIN)
		return;
	if (n <= 0)
		failed(c, "the server closed the connection when it was asked for TLS");
	else if (n > 1)
		failed(c, "the server sent something before TLS was up");
	else
		act_on(c, c->proto->tls_answer(answer[0]));
}

static void on_stream(void *arg, StreamEvent what)
{
	Connect *c = arg;

	switch (what) {
	case STREAM_READABLE:
		hear_answer(c);
		break;
	case STREAM_SECURED:
		finish(c, NULL);
		break;
	case STREAM_BROKEN:
		tls_failed(c);
		break;
	case STREAM_DRAINED:
		break;
	}
}

static void on_time(void *arg)
{
	failed(arg, "the server did not answer in time");
}

static void on_dialled(void *arg, int fd, int error)
{
	Connect *c = arg;

	if (fd == -1) {
		failed(c, strerror(error));
		return;
	}
	stream_open(c->stream, c->worker->loop, fd, on_stream, c);
	if (c->ask_tls)
		c->proto->ask_tls(&c->header);
	if (buf_size(&c->header) > 0 && !stream_send(c->stream, buf_span(&c->header))) {
		failed(c, "the server closed the connection at once");
		return;
	}
	if (!c->ask_tls) {
		finish(c, NULL);
		return;
	}
	timer_arm(&c->timer, c->until_ms - clock_ms());
	stream_read_on(c->stream);
}

void connect_init(Connect *c, Worker *w, Stream *stream,
		  void (*on_connected)(void *arg, const Fault *why), void *arg)
{
	*c = (Connect){.worker = w, .stream = stream, .on_connected = on_connected, .arg = arg};
	dial_init(&c->dial, w->loop, on_dialled, c);
	timer_init(&c->timer, w->loop, on_time, c);
}

/* Nobody listens in on a Unix socket; there TLS is left out, as libpq has it. */
static void decide_tls(Connect *c, const ConnectPlan *plan)
{
	const conf_choice *mode = &plan->conf->reveille.server_tls_sslmode;
	bool off = conf_is(mode, "disable") || plan->to.at.any.sa_family == AF_UNIX ||
		   !c->access->computes;

	c->ask_tls = !off;
	c->tls_needed =
		!off && (plan->tls_needed || !(conf_is(mode, "allow") || conf_is(mode, "prefer")));
}

static void put_client(Connect *c, const ConnectPlan *plan)
{
	const ClientAddress *from = plan->client, *to = plan->reached;

	if (!plan->conf->reveille.server_proxy_protocol)
		return;
	if (from && to && from->family && from->family == to->family)
		proxy_header_write(from->family, from->bytes, from->port, to->bytes, to->port,
				   &c->header);
	else
		proxy_header_write(0, NULL, 0, NULL, 0, &c->header);
}

void connect_start(Connect *c, const ConnectPlan *plan)
{
	c->proto = plan->proto;
	c->access = access_hold(c->worker->access);
	c->until_ms = clock_ms() + plan->timeout_ms;
	text_copy(c->server_name, sizeof(c->server_name), plan->server_name);
	buf_free(&c->header);
	decide_tls(c, plan);
	put_client(c, plan);
	dial_start(&c->dial, &plan->to, plan->timeout_ms);
}

void connect_stop(Connect *c)
{
	dial_stop(&c->dial);
	timer_stop(&c->timer);
	buf_free(&c->header);
	end_access(c);
}
