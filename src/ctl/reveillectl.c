/*
 * reveillectl: what an admin asks of the control plane, over its REST API.
 *
 * It knows nothing that the API does not say, and works as well against a
 * control plane on another machine.  Exit status: 0 done, 1 refused, 2 not
 * understood, 3 not reached.
 */
#include <curl/curl.h>
#include <stdio.h>

#include "request.h"

static int complain(const Fault *why, int status)
{
	fprintf(stderr, "reveillectl: %s\n", why->detail);
	if (*why->hint)
		fprintf(stderr, "hint: %s\n", why->hint);
	if (status == 2)
		fputs("try: reveillectl --help\n", stderr);
	return status;
}

int main(int argc, char **argv)
{
	Call call = {.command = NULL};
	Setup setup = {.url = ""};
	Fault why = {.code = FAULT_NONE};

	if (!call_parse(&call, argc, argv, &why))
		return complain(&why, 2);
	if (call.help || call.version) {
		if (call.help)
			call_help(stdout);
		else
			puts("reveillectl " REVEILLE_VERSION);
		return 0;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (!setup_find(&setup, &call, &why) || !request_run(&call, &setup, &why))
		return complain(&why, why.code == FAULT_CONTROL_PLANE ? 3 : 1);
	return fflush(stdout) == 0 ? 0 : 1;
}
