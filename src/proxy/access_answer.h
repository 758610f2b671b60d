/*
 * What a control plane answered about who may come to a compute.  Pure.
 *
 * GET /get_endpoint_access_control (Neon's contract, which Reveille's control
 * plane speaks too): the role's secret, the networks it may come from, and how
 * often somebody may connect.
 */
#ifndef PROXY_ACCESS_ANSWER_H
#define PROXY_ACCESS_ANSWER_H

#include "conf/network.h"
#include "sys/fetch.h"

#define ACCESS_SECRET_MAX 512

typedef struct AccessAnswer {
	char secret[ACCESS_SECRET_MAX];  /* as auth_file has them; "": no such role */
	NetworkList networks;            /* that may come; empty: all */
	int connect_rate, connect_burst; /* a second; 0: no limit */
} AccessAnswer;

/* False and *why if there is no answer to go by. network_list_free() what is in it. */
bool access_judge(const FetchAnswer *fetched, const char *compute, AccessAnswer *out, Fault *why);

#endif
