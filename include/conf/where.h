/*
 * Where something listens, or is asked, as an operator writes it: ADDRESS:PORT,
 * [V6]:PORT, or the path of a Unix socket ("/…", or "@…" for an abstract one).
 *
 * Pure: names are not looked up.
 */
#ifndef CONF_WHERE_H
#define CONF_WHERE_H

#include <stdbool.h>
#include <stddef.h>

#define WHERE_PATH_MAX 107 /* bytes of a Unix socket's name */

typedef struct Where {
	bool is_path;
	char host[256]; /* or the path */
	int port;
} Where;

/* False if the text is none of these. */
bool where_parse(Where *out, const char *text);

/* Whether nobody on a network can listen in: a Unix socket, or loopback. */
bool where_is_private(const Where *w);

/*
 * Cuts a URL that leads to a Unix socket, "unix:/path/of/it:/what/is/asked": the socket's
 * path and what is asked there.  False if it is no such URL.
 */
bool where_of_unix_url(const char *url, char path[WHERE_PATH_MAX + 1], const char **asked);

#endif
