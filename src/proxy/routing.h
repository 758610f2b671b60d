/*
 * Which compute does a client want?  Pure: a startup packet in, a name out.
 *
 * The id is looked for where route_by says: in the server name that the client
 * asked for in TLS (ID.route_domain), in the options (endpoint=ID or
 * project=ID, with or without -c in front), in the user (endpoint$ID$user or
 * endpoint$ID;user), in the database (ID/dbname, or just ID).  What was only
 * meant for us is taken out of the packet; everything else goes on unchanged.
 */
#ifndef PROXY_ROUTING_H
#define PROXY_ROUTING_H

#include "conf/conf.h"
#include "proto/proto.h"

/*
 * Finds the compute (server_name: SNI in lower case, or "") and the entry of [databases] that
 * serves it, and rewrites the packet for the compute.  False and *why if no compute is named, or
 * none is served by that name.
 */
bool routing_find(const Config *conf, const char *engine, const char *server_name, Startup *startup,
		  char *compute, size_t size, const Database **database, Fault *why);

/*
 * Makes the client's packet what its compute is to get: the entry's own words,
 * without the parameters that are to be ignored.  False and *why if that is too long.
 */
bool routing_apply(const Config *conf, const Database *d, const char *client, Startup *startup,
		   Fault *why);

#endif
