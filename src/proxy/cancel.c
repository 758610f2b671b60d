#include "cancel.h"

#include <stdlib.h>

#include "base/mem.h"
#include "sys/dial.h"
#include "worker.h"

struct Canceller {
	Worker *worker;
	CancelKey key;
	Dial dial;
	Stream stream;
	Timer deadline;
	void (*on_done)(void *arg);
	void *arg;
};

static void finish(Canceller *c)
{
	dial_stop(&c->dial);
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

static void on_dialled(void *arg, int fd, int error)
{
	Canceller *c = arg;
	Buf packet = {0};
	bool sent;

	(void)error;
	if (fd == -1) {
		finish(c);
		return;
	}
	stream_open(&c->stream, c->worker->loop, fd, on_stream, c);
	proto_pg.cancel(&c->key, &packet);
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

Canceller *cancel_send(Worker *w, const CancelKey *key, const Address *to, int64_t timeout_ms,
		       void (*on_done)(void *arg), void *arg)
{
	Canceller *c = NEW(Canceller);

	*c = (Canceller){.worker = w, .key = *key, .on_done = on_done, .arg = arg};
	c->stream.fd = -1;
	dial_init(&c->dial, w->loop, on_dialled, c);
	timer_init(&c->deadline, w->loop, on_deadline, c);
	timer_arm(&c->deadline, timeout_ms);
	dial_start(&c->dial, to, timeout_ms);
	return c;
}

void cancel_forget(Canceller *c)
{
	c->on_done = NULL;
}

bool cancel_target(const SlotInfo *info, CancelKey *key, Address *to)
{
	if (info->compute_secret_size == 0 || info->address_size == 0)
		return false;
	*key = (CancelKey){.pid = info->compute_pid,
			   .secret_size = (uint8_t)info->compute_secret_size};
	memcpy(key->secret, info->compute_secret, sizeof(key->secret));
	*to = (Address){.size = info->address_size};
	memcpy(&to->at, info->address, sizeof(info->address));
	return true;
}

void cancel_abandoned(Session *s)
{
	SlotInfo info;
	CancelKey key;
	Address to;

	session_slot_info(s, &info);
	if (cancel_target(&info, &key, &to))
		cancel_send(s->worker, &key, &to, conf_ms(s->conf->reveille.cancel_wait_timeout),
			    NULL, NULL);
}
