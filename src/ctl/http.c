#include "http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/where.h"

#define CONNECT_TIMEOUT_S 5L
#define ANSWER_TIMEOUT_S  300L /* longer than a wake may take */
#define SILENCE_S         15L
#define URL_MAX_BYTES     8192
#define ANSWER_MAX_BYTES  (64ul << 20)

/* libcurl gives back fewer bytes than it was told as the sign to stop. */
static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	HttpAnswer *answer = arg;
	size_t n = size * count;

	if (n > ANSWER_MAX_BYTES - answer->n)
		return 0;
	answer->body = mem_grow(answer->body, answer->n + n + 1);
	memcpy(answer->body + answer->n, bytes, n);
	answer->n += n;
	answer->body[answer->n] = 0;
	return n;
}

typedef struct Progress {
	const HttpRequest *request;
	CURL *curl;
} Progress;

/* Called about once a second; says so on the terminal once it takes long. */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
		       curl_off_t up)
{
	const Progress *progress = arg;
	double seconds = 0;

	(void)down_all, (void)down, (void)up_all, (void)up;
	curl_easy_getinfo(progress->curl, CURLINFO_TOTAL_TIME, &seconds);
	if (seconds >= 1)
		fprintf(stderr, "\r%s … %.0f s", progress->request->progress, seconds);
	return 0;
}

static void end_progress(CURL *curl)
{
	double seconds = 0;

	curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &seconds);
	if (seconds >= 1)
		fputs("\r\033[K", stderr);
}

static struct curl_slist *headers_of(const HttpRequest *request)
{
	struct curl_slist *headers = NULL;
	char line[600];

	snprintf(line, sizeof(line), "Authorization: Bearer %s", request->token);
	headers = curl_slist_append(headers, line);
	if (request->body)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	explicit_bzero(line, sizeof(line));
	return headers;
}

/* A Unix socket has no name that a URL could hold. */
static void set_url(CURL *curl, const char *url)
{
	char path[WHERE_PATH_MAX + 1], on_socket[URL_MAX_BYTES];
	const char *asked;

	if (!where_of_unix_url(url, path, &asked)) {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		return;
	}
	snprintf(on_socket, sizeof(on_socket), "http://localhost%s", asked);
	curl_easy_setopt(curl, CURLOPT_URL, on_socket);
	if (*path == '@')
		curl_easy_setopt(curl, CURLOPT_ABSTRACT_UNIX_SOCKET, path + 1);
	else
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
}

/* Redirects are not followed: the token is for this host alone. */
static void set_options(CURL *curl, const HttpRequest *request, HttpAnswer *answer,
			struct curl_slist *headers)
{
	set_url(curl, request->url);
	if (*request->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (request->body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
}

/* What an admin may have to say otherwise, if nothing was answered. */
static const char *hint_of(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return "--ca-file names the authority of its certificate";
	case CURLE_SSL_CACERT_BADFILE:
		return "--ca-file names a file that holds no certificate that can be read";
	case CURLE_GOT_NOTHING:
		return "does it speak TLS there? then the URL begins with https://";
	default:
		return "is the control plane running there? -u names another";
	}
}

bool http_ask(const HttpRequest *request, HttpAnswer *answer, Fault *why)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = headers_of(request);
	char detail[CURL_ERROR_SIZE] = "";
	Progress progress = {request, curl};
	bool shows = request->progress && isatty(STDERR_FILENO);
	long status = 0;
	CURLcode code;

	*answer = (HttpAnswer){.body = mem_text("")};
	if (!curl)
		return fault_set(why, FAULT_INTERNAL, "libcurl could not be started");
	set_options(curl, request, answer, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, shows ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &progress);
	code = curl_easy_perform(curl);
	if (shows)
		end_progress(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (int)status;
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	if (code == CURLE_OK)
		return true;
	fault_set(why, FAULT_CONTROL_PLANE, "could not ask %s: %s", request->url,
		  *detail ? detail : curl_easy_strerror(code));
	return fault_hint(why, "%s", hint_of(code));
}

/* ---- answers that do not end ------------------------------------------- */

typedef struct Follow {
	CURL *curl;
	bool (*on_bytes)(void *arg, Span bytes);
	void *arg;
	HttpAnswer *answer;
} Follow;

static size_t on_part(char *bytes, size_t size, size_t count, void *arg)
{
	const Follow *f = arg;
	long status = 0;

	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300)
		return on_body(bytes, size, count, f->answer);
	return f->on_bytes(f->arg, (Span){(const uint8_t *)bytes, size * count}) ? size * count : 0;
}

/* There is a beat every few seconds, so who is silent for longer is gone. */
static void set_follow_options(const Follow *f, char *detail)
{
	curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_part);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
	curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, detail);
}

void http_follow(const HttpRequest *request, bool (*on_bytes)(void *arg, Span bytes), void *arg,
		 HttpAnswer *answer, Fault *why)
{
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = headers_of(request);
	Follow f = {curl_easy_init(), on_bytes, arg, answer};
	long status = 0;
	CURLcode code;

	*answer = (HttpAnswer){.body = mem_text("")};
	set_options(f.curl, request, answer, headers);
	set_follow_options(&f, detail);
	code = curl_easy_perform(f.curl);
	curl_easy_getinfo(f.curl, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (int)status;
	curl_slist_free_all(headers);
	curl_easy_cleanup(f.curl);
	fault_set(why, FAULT_CONTROL_PLANE, "the connection to %s has ended: %s", request->url,
		  *detail ? detail : curl_easy_strerror(code));
}

char *http_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *ours = mem_text(escaped ? escaped : "");

	curl_free(escaped);
	return ours;
}
