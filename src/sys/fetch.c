#include "sys/fetch.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/where.h"
#include "sys/log.h"

struct Fetcher {
	Loop *loop;
	CURLM *multi;
	Timer timer;
};

struct Fetch {
	Fetcher *fetcher;
	CURL *easy;
	struct curl_slist *headers;
	Buf body;
	bool too_large;
	char error[CURL_ERROR_SIZE];
	bool (*on_data)(void *arg, Span piece);
	void (*on_head)(void *arg, int status, const char *content_type);
	bool has_head; /* on_head() was called */
	void (*on_answer)(void *arg, const FetchAnswer *answer);
	void *arg;
};

/* One of libcurl's sockets. */
typedef struct Socket {
	Fetcher *fetcher;
	struct event event;
} Socket;

static void free_fetch(void *arg)
{
	Fetch *f = arg;

	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->headers);
	buf_free(&f->body);
	free(f);
}

static int status_of(const Fetch *f)
{
	long status = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

const char *fetch_header(const Fetch *f, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(f->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

/* Also of an answer without a body, when it ends. */
static void tell_head(Fetch *f)
{
	const char *type = NULL;

	if (!f->on_head || f->has_head || status_of(f) == 0)
		return;
	f->has_head = true;
	curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
	f->on_head(f->arg, status_of(f), type ? type : "");
}

static FetchAnswer read_answer(Fetch *f, CURLcode result)
{
	FetchAnswer a = {.error = "", .too_large = f->too_large, .retry_after_ms = -1};
	curl_off_t seconds = 0;
	long status = 0;

	if (f->too_large)
		a.error = "the answer is larger than 64 KiB";
	else if (result != CURLE_OK)
		a.error = *f->error ? f->error : curl_easy_strerror(result);
	if (*a.error)
		return a;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &seconds);
	buf_append_u8(&f->body, 0);
	a.status = (int)status;
	a.body = (Span){buf_span(&f->body).at, buf_size(&f->body) - 1};
	if (seconds > 0)
		a.retry_after_ms = (int64_t)(seconds < 86400 ? seconds : 86400) * 1000;
	return a;
}

static void finish(Fetch *f, CURLcode result)
{
	FetchAnswer answer = read_answer(f, result);

	if (result == CURLE_OK)
		tell_head(f);
	curl_multi_remove_handle(f->fetcher->multi, f->easy);
	if (f->on_answer)
		f->on_answer(f->arg, &answer);
	loop_bury(f->fetcher->loop, f, free_fetch);
}

static void collect(Fetcher *fetcher)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(fetcher->multi, &left))) {
		Fetch *f;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f);
		finish(f, m->data.result);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	Socket *s = arg;
	Fetcher *fetcher = s->fetcher;
	int running, mask = (what & EV_READ ? CURL_CSELECT_IN : 0) |
			    (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(fetcher->multi, fd, mask, &running);
	collect(fetcher);
}

static void on_timer(void *arg)
{
	Fetcher *fetcher = arg;
	int running;

	curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(fetcher);
}

static int on_want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	Fetcher *fetcher = arg;
	Socket *s = data;
	short events = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);

	(void)easy;
	if (s)
		event_del(&s->event);
	if (what == CURL_POLL_REMOVE) {
		free(s);
		return 0;
	}
	if (!s) {
		s = NEW(Socket);
		s->fetcher = fetcher;
		curl_multi_assign(fetcher->multi, fd, s);
	}
	event_assign(&s->event, loop_base(fetcher->loop), fd, events, on_socket, s);
	event_add(&s->event, NULL);
	return 0;
}

static int on_want_timer(CURLM *multi, long ms, void *arg)
{
	Fetcher *fetcher = arg;

	(void)multi;
	if (ms < 0)
		timer_stop(&fetcher->timer);
	else
		timer_arm(&fetcher->timer, ms);
	return 0;
}

Fetcher *fetcher_new(Loop *loop)
{
	Fetcher *fetcher = NEW(Fetcher);

	fetcher->loop = loop;
	fetcher->multi = curl_multi_init();
	if (!fetcher->multi)
		die("could not set up HTTP calls");
	timer_init(&fetcher->timer, loop, on_timer, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_want_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	return fetcher;
}

void fetcher_free(Fetcher *fetcher)
{
	curl_multi_cleanup(fetcher->multi);
	timer_stop(&fetcher->timer);
	free(fetcher);
}

/* Taking less than what was offered makes libcurl give up. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	Fetch *f = arg;

	tell_head(f);
	if (f->on_data && (f->on_head || status_of(f) == 200))
		return f->on_data(f->arg, (Span){(const uint8_t *)bytes, size * n}) ? size * n : 0;
	if (buf_size(&f->body) + size * n > FETCH_BODY_MAX) {
		f->too_large = true;
		return 0;
	}
	buf_append(&f->body, (Span){(const uint8_t *)bytes, size * n});
	return size * n;
}

static void add_header(Fetch *f, const char *name, const char *value)
{
	char line[1200];

	snprintf(line, sizeof(line), "%s: %s", name, value);
	f->headers = curl_slist_append(f->headers, line);
}

/* A Unix socket has no name that a URL could hold. */
static void set_url(Fetch *f, const char *url)
{
	char path[WHERE_PATH_MAX + 1], on_socket[CONF_VALUE_MAX + 1024];
	const char *asked;

	if (!where_of_unix_url(url, path, &asked)) {
		curl_easy_setopt(f->easy, CURLOPT_URL, url);
		return;
	}
	snprintf(on_socket, sizeof(on_socket), "http://localhost%s", asked);
	curl_easy_setopt(f->easy, CURLOPT_URL, on_socket);
	if (*path == '@')
		curl_easy_setopt(f->easy, CURLOPT_ABSTRACT_UNIX_SOCKET, path + 1);
	else
		curl_easy_setopt(f->easy, CURLOPT_UNIX_SOCKET_PATH, path);
}

static void set_options(Fetch *f, const FetchCall *call)
{
	char token[1100];

	set_url(f, call->url);
	if (call->ca_file && *call->ca_file)
		curl_easy_setopt(f->easy, CURLOPT_CAINFO, call->ca_file);
	curl_easy_setopt(f->easy, CURLOPT_PRIVATE, f);
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(f->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
	curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)call->total_ms);
	if (call->method)
		curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, call->method);
	if (call->method && strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
	if (!call->method)
		add_header(f, "Accept", call->on_data ? "text/event-stream" : "application/json");
	for (int i = 0; i < FETCH_HEADERS && call->headers[i].name; i++)
		add_header(f, call->headers[i].name, call->headers[i].value);
	if (call->post) {
		if (!call->method)
			add_header(f, "Content-Type", "application/json");
		add_header(f, "Expect", "");
		curl_easy_setopt(f->easy, CURLOPT_COPYPOSTFIELDS, call->post);
	}
	if (*call->token) {
		snprintf(token, sizeof(token), "Bearer %s", call->token);
		add_header(f, "Authorization", token);
	}
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
}

Fetch *fetch(Fetcher *fetcher, const FetchCall *call)
{
	Fetch *f = NEW(Fetch);

	f->fetcher = fetcher;
	f->on_answer = call->on_answer;
	f->on_data = call->on_data;
	f->on_head = call->on_head;
	f->arg = call->arg;
	f->easy = curl_easy_init();
	if (!f->easy)
		die("could not set up an HTTP call");
	set_options(f, call);
	curl_multi_add_handle(fetcher->multi, f->easy);
	return f;
}

void fetch_cancel(Fetch *f)
{
	f->on_answer = NULL;
	curl_multi_remove_handle(f->fetcher->multi, f->easy);
	loop_bury(f->fetcher->loop, f, free_fetch);
}
