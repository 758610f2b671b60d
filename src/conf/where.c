#include "conf/where.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MOST_PORT 65535

static bool is_path(const char *text)
{
	return *text == '/' || *text == '@';
}

static int port_of(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
		return 0;
	return atoi(text) <= MOST_PORT ? atoi(text) : 0;
}

bool where_parse(Where *out, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	*out = (Where){.is_path = is_path(text)};
	if (out->is_path)
		return text[1] && strlen(text) <= WHERE_PATH_MAX &&
		       text_copy(out->host, sizeof(out->host), text);
	out->port = colon ? port_of(colon + 1) : 0;
	if (text[0] != '[')
		return n > 0 && !memchr(text, ':', n) && out->port > 0 &&
		       text_copy_n(out->host, sizeof(out->host), text, n);
	return n > 2 && text[n - 1] == ']' && out->port > 0 &&
	       text_copy_n(out->host, sizeof(out->host), text + 1, n - 2);
}

/* 127.0.0.1 and its like, written in numbers: a name may begin with 127, too. */
static bool is_loopback4(const char *host)
{
	return text_starts(host, "127.") && host[strspn(host, "0123456789.")] == 0;
}

bool where_is_private(const Where *w)
{
	return w->is_path || strcmp(w->host, "localhost") == 0 || strcmp(w->host, "::1") == 0 ||
	       is_loopback4(w->host);
}

bool where_of_unix_url(const char *url, char path[WHERE_PATH_MAX + 1], const char **asked)
{
	static const char scheme[] = "unix:";
	const char *end;

	if (!text_starts(url, scheme))
		return false;
	url += sizeof(scheme) - 1;
	end = strstr(url, ":/");
	*asked = end ? end + 1 : "/";
	return is_path(url) && text_copy_n(path, WHERE_PATH_MAX + 1, url,
					   end ? (size_t)(end - url) : strcspn(url, ":"));
}
