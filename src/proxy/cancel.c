#include "cancel.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "connect.h"
#include "worker.h"

struct Canceller {
	Worker *worker;
	CancelTarget target;
	Lookup *lookup;
	Connect connect;
	Stream stream;
	Timer deadline;
	void (*on_done)(void *arg);
	void *arg;
	LIST_ENTRY(Canceller) link;
};

static void finish(Canceller *c)
{
	LIST_REMOVE(c, link);
	if (c->lookup)
		resolve_cancel(c->lookup);
	connect_stop(&c->connect);
	stream_close(&c->stream);
	timer_stop(&c->deadline);
	if (c->on_done)
		c->on_done(c->arg);
	c->on_done = NULL;
	loop_bury(c->worker->loop, c, free);
}

static void on_stream(void *arg, StreamEvent what)
{
	Canceller *c = arg;
	uint8_t byte;

	if (what == STREAM_READABLE && stream_recv(&c->stream, &byte, 1) == STREAM_AGAIN)
		return;
	if (what != STREAM_DRAINED)
		finish(c);
}

static void on_connected(void *arg, const Fault *why)
{
	Canceller *c = arg;
	Buf packet = {0};
	bool sent;

	if (why) {
		finish(c);
		return;
	}
	stream_hear(&c->stream, on_stream, c);
	proto_pg.cancel(&c->target.key, &packet);
	sent = stream_send(&c->stream, buf_span(&packet));
	buf_free(&packet);
	stream_read_on(&c->stream);
	if (!sent)
		finish(c);
}

static void on_deadline(void *arg)
{
	finish(arg);
}

static void dial(Canceller *c)
{
	const CancelTarget *target = &c->target;
	ConnectPlan plan = {.conf = c->worker->conf,
			    .proto = &proto_pg,
			    .to = target->to,
			    .server_name = target->server_name,
			    .tls_needed = target->tls,
			    .timeout_ms = conf_ms(c->worker->conf->reveille.cancel_wait_timeout)};

	connect_start(&c->connect, &plan);
}

static void on_resolved(void *arg, const Address *addresses, int n, const char *error)
{
	Canceller *c = arg;

	(void)error;
	c->lookup = NULL;
	if (n == 0) {
		finish(c);
		return;
	}
	c->target.to = addresses[0];
	dial(c);
}

Canceller *cancel_send(Worker *w, const CancelTarget *target, void (*on_done)(void *arg), void *arg)
{
	Canceller *c = NEW(Canceller);

	*c = (Canceller){.worker = w, .target = *target, .on_done = on_done, .arg = arg};
	c->stream.fd = -1;
	LIST_INSERT_HEAD(&w->cancellers, c, link);
	connect_init(&c->connect, w, &c->stream, on_connected, c);
	timer_init(&c->deadline, w->loop, on_deadline, c);
	timer_arm(&c->deadline, conf_ms(w->conf->reveille.cancel_wait_timeout));
	if (target->to.size > 0)
		dial(c);
	else
		c->lookup = resolve(w->resolver, target->server_name, target->port, on_resolved, c);
	return c;
}

void cancel_forget(Canceller *c)
{
	c->on_done = NULL;
}

void cancel_stop(Worker *w)
{
	while (!LIST_EMPTY(&w->cancellers)) {
		cancel_forget(LIST_FIRST(&w->cancellers));
		finish(LIST_FIRST(&w->cancellers));
	}
}

bool cancel_target(const SlotInfo *info, CancelTarget *out)
{
	if (info->compute_secret_size == 0 || info->address_size == 0)
		return false;
	*out = (CancelTarget){.tls = info->tls};
	out->key.pid = info->compute_pid;
	out->key.secret_size = (uint8_t)info->compute_secret_size;
	memcpy(out->key.secret, info->compute_secret, info->compute_secret_size);
	out->to.size = info->address_size;
	memcpy(&out->to.at, info->address, sizeof(info->address));
	return text_copy(out->server_name, sizeof(out->server_name), info->server_name);
}

void cancel_abandoned(Session *s)
{
	CancelTarget target;
	SlotInfo info;

	session_slot_info(s, &info);
	if (cancel_target(&info, &target))
		cancel_send(s->worker, &target, NULL, NULL);
}
