#include "uri.h"

#include <stdio.h>
#include <string.h>

#include "../record.h"
#include "base/text.h"

/* The first address; for one that means all of them, one that surely leads there. */
static void host_of(const char *listen_addr, char *out, size_t size)
{
	char first[128];

	text_copy_n(first, sizeof(first), listen_addr, strcspn(listen_addr, ","));
	if (strcmp(text_trim(first), "*") == 0 || strcmp(text_trim(first), "0.0.0.0") == 0)
		text_copy(out, size, "127.0.0.1");
	else if (strcmp(text_trim(first), "::") == 0)
		text_copy(out, size, "[::1]");
	else
		snprintf(out, size, strchr(first, ':') ? "[%.100s]" : "%.100s", text_trim(first));
}

bool uri_of_compute(char out[URI_SIZE], const Config *conf, const UriParts *parts)
{
	char host[140], separator[64] = "", role[3 * ID_SIZE], database[3 * ID_SIZE];

	if (conf->reveille.listen_port == 0 || !*conf->reveille.listen_addr.s)
		return false;
	host_of(conf->reveille.listen_addr.s, host, sizeof(host));
	text_percent_encode(separator, sizeof(separator), conf->reveille.route_separator.s);
	text_percent_encode(role, sizeof(role), parts->role);
	text_percent_encode(database, sizeof(database), parts->database);
	snprintf(out, URI_SIZE, "postgresql://%s:%s@%s:%d/%s%s%s", role, parts->password, host,
		 conf->reveille.listen_port, parts->compute, separator, database);
	return true;
}
