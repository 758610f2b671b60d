/* The head of a request: where it ends, its line, its fields. */
#include "proto/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

static HttpVerdict bad(HttpProblem *why, int status, const char *detail)
{
	*why = (HttpProblem){status, detail};
	return HTTP_BAD;
}

static bool wrong(HttpProblem *why, int status, const char *detail)
{
	return bad(why, status, detail) != HTTP_BAD;
}

/* ---- where it ends ----------------------------------------------------- */

/* Whether the byte at i may stand in a head, seen from the bytes before it alone. */
static bool may_stand(Span in, size_t i, HttpProblem *why)
{
	uint8_t c = in.at[i];
	bool after_cr = i > 0 && in.at[i - 1] == '\r';

	if ((c == '\n') != after_cr)
		return wrong(why, 400, "a line does not end in CR LF");
	if (c == 0x7F || (c < ' ' && !strchr("\r\n\t", c)) || c == 0)
		return wrong(why, 400, "the head has a control character");
	return true;
}

/*
 * Goes byte by byte, so that the verdict is the same however the network cut them.
 * Empty lines before the head are skipped (RFC 9112 section 2.2).
 */
static HttpVerdict find_end(Span in, size_t *begin, size_t *end, HttpProblem *why)
{
	size_t line = 0;

	*begin = 0;
	for (size_t i = 0; i < in.n; i++) {
		if (i >= HTTP_HEAD_MAX)
			return bad(why, 431, "the head is larger than 16 KiB");
		if (line == *begin && i - line >= HTTP_LINE_MAX)
			return bad(why, 414, "the request line is longer than 8 KiB");
		if (!may_stand(in, i, why))
			return HTTP_BAD;
		if (in.at[i] != '\n')
			continue;
		*end = i + 1;
		if (i - line == 1 && line > *begin)
			return HTTP_DONE;
		if (i - line == 1)
			*begin = i + 1;
		line = i + 1;
	}
	return HTTP_MORE;
}

/* ---- the request line -------------------------------------------------- */

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (const char *c = text; *c; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		if (!letter && !(*c >= '0' && *c <= '9') && !strchr(others, *c))
			return false;
	}
	return *text;
}

static bool is_visible(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~' || *text == '#')
			return false;
	}
	return true;
}

/* "/path?query", "http://host/path?query" as to a proxy, or "*". */
static bool take_target(HttpHead *h, char *target, HttpProblem *why)
{
	char *path = target, *query;

	if (text_starts(target, "http://") || text_starts(target, "https://"))
		path = strchr(strstr(target, "://") + 3, '/');
	if (!is_visible(target) || !path || (*path != '/' && strcmp(path, "*") != 0))
		return wrong(why, 400, "the target of the request is not a path");
	query = strchr(path, '?');
	if (query)
		*query++ = 0;
	h->path = path;
	h->query = query ? query : "";
	return true;
}

static bool take_version(HttpHead *h, const char *version, HttpProblem *why)
{
	h->old = strcmp(version, "HTTP/1.0") == 0;
	h->keep = !h->old;
	if (h->old || strcmp(version, "HTTP/1.1") == 0)
		return true;
	if (text_starts(version, "HTTP/") && strlen(version) == sizeof("HTTP/1.1") - 1)
		return wrong(why, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	return wrong(why, 400, "the request line is not METHOD TARGET VERSION");
}

static bool take_line(HttpHead *h, char *line, HttpProblem *why)
{
	char *method = strsep(&line, " "), *target = strsep(&line, " ");

	if (!line || !is_token(method))
		return wrong(why, 400, "the request line is not METHOD TARGET VERSION");
	if (strlen(method) > HTTP_METHOD_MAX)
		return wrong(why, 501, "there is no such method");
	h->method = method;
	return take_version(h, line, why) && take_target(h, target, why);
}

/* ---- fields that mean something ---------------------------------------- */

static bool take_length(HttpHead *h, const char *value, HttpProblem *why)
{
	size_t n = strlen(value);

	if (h->length != -1)
		return wrong(why, 400, "Content-Length stands there twice");
	if (n == 0 || strspn(value, "0123456789") != n)
		return wrong(why, 400, "Content-Length is not a number");
	if (n > 18)
		return wrong(why, 413, "the body is too large");
	h->length = strtoll(value, NULL, 10);
	return true;
}

static bool take_encoding(HttpHead *h, const char *value, HttpProblem *why)
{
	if (h->chunked)
		return wrong(why, 400, "Transfer-Encoding stands there twice");
	if (h->old)
		return wrong(why, 400, "HTTP/1.0 has no Transfer-Encoding");
	if (strcasecmp(value, "chunked") != 0)
		return wrong(why, 501, "the only Transfer-Encoding that is read is chunked");
	h->chunked = true;
	return true;
}

/* A list of words. */
static bool take_connection(HttpHead *h, const char *value, HttpProblem *why)
{
	(void)why;
	for (; *value; value += strspn(value, ", \t")) {
		size_t n = strcspn(value, ", \t");

		if (n == 5 && strncasecmp(value, "close", n) == 0)
			h->keep = false;
		else if (n == 10 && strncasecmp(value, "keep-alive", n) == 0 && h->old)
			h->keep = true;
		value += n;
	}
	return true;
}

static bool take_expect(HttpHead *h, const char *value, HttpProblem *why)
{
	if (strcasecmp(value, "100-continue") != 0)
		return wrong(why, 417, "nothing can be expected but 100-continue");
	h->expects = !h->old;
	return true;
}

static const struct {
	const char *name;
	bool (*take)(HttpHead *h, const char *value, HttpProblem *why);
} known[] = {
	{"Content-Length", take_length},
	{"Transfer-Encoding", take_encoding},
	{"Connection", take_connection},
	{"Expect", take_expect},
};

/* ---- fields ------------------------------------------------------------ */

static char *trim(char *value)
{
	size_t n;

	value += strspn(value, " \t");
	for (n = strlen(value); n > 0 && strchr(" \t", value[n - 1]); n--)
		value[n - 1] = 0;
	return value;
}

/* A name with a blank behind it, or a line that goes on, is read in more than one way. */
static bool take_field(HttpHead *h, char *line, HttpProblem *why)
{
	char *name = strsep(&line, ":");
	HttpField f;

	if (!line || !is_token(name))
		return wrong(why, 400, "a field is not NAME: VALUE");
	if (h->n_fields == HTTP_FIELDS_MAX)
		return wrong(why, 431, "there are more than 64 fields");
	f = (HttpField){name, trim(line)};
	h->fields[h->n_fields++] = f;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(known[i].name, name) == 0 && !known[i].take(h, f.value, why))
			return false;
	}
	return true;
}

static int count_fields(const HttpHead *h, const char *name)
{
	int n = 0;

	for (int i = 0; i < h->n_fields; i++)
		n += strcasecmp(h->fields[i].name, name) == 0;
	return n;
}

static bool fields_agree(HttpHead *h, HttpProblem *why)
{
	int hosts = count_fields(h, "Host");

	if (h->chunked && h->length != -1)
		return wrong(why, 400, "Content-Length and Transfer-Encoding exclude each other");
	if (hosts > 1 || (hosts == 0 && !h->old))
		return wrong(why, 400, "there must be one Host");
	if (count_fields(h, "Authorization") > 1)
		return wrong(why, 400, "Authorization stands there twice");
	if (h->length == -1)
		h->length = 0;
	return true;
}

/* Cuts the lines apart, in place; find_end() has seen that they end in CR LF. */
static char *next_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\r');

	*end = 0;
	*rest = end + 2;
	return line;
}

static bool take_all(HttpHead *h, HttpProblem *why)
{
	char *rest = h->text;

	if (!take_line(h, next_line(&rest), why))
		return false;
	while (*rest != '\r') {
		if (!take_field(h, next_line(&rest), why))
			return false;
	}
	return fields_agree(h, why);
}

HttpVerdict http_head_read(HttpHead *out, Span in, HttpProblem *why)
{
	size_t begin, end = 0;
	HttpVerdict verdict = find_end(in, &begin, &end, why);

	if (verdict != HTTP_DONE)
		return verdict;
	*out = (HttpHead){.size = end,
			  .length = -1,
			  .text_size = end - begin,
			  .text = mem_new(end - begin + 1, 1)};
	memcpy(out->text, in.at + begin, end - begin);
	if (take_all(out, why))
		return HTTP_DONE;
	http_head_free(out);
	return HTTP_BAD;
}

void http_head_free(HttpHead *h)
{
	if (h->text)
		explicit_bzero(h->text, h->text_size); /* of a token nothing is left */
	free(h->text);
	*h = (HttpHead){0};
}

const char *http_head_field(const HttpHead *h, const char *name)
{
	for (int i = 0; i < h->n_fields; i++) {
		if (strcasecmp(h->fields[i].name, name) == 0)
			return h->fields[i].value;
	}
	return NULL;
}

/* ---- words and values -------------------------------------------------- */

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{423, "Locked"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void http_decode(Span encoded, Buf *out)
{
	for (size_t i = 0; i < encoded.n; i++) {
		uint8_t c = encoded.at[i];
		int high = c == '%' && encoded.n - i > 2 ? hex_value(encoded.at[i + 1]) : -1;
		int low = high != -1 ? hex_value(encoded.at[i + 2]) : -1;

		if (low != -1) {
			c = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		buf_append_u8(out, c);
	}
}
