/*
 * Which compute does a client want?  Pure: a startup packet in, a name out.
 *
 * The id is looked for where route_by says: in the options (endpoint=ID or
 * project=ID, with or without -c in front), in the user (endpoint$ID$user or
 * endpoint$ID;user), in the database (ID/dbname, or just ID).  What was only
 * meant for us is taken out of the packet; everything else goes on unchanged.
 */
#ifndef PROXY_ROUTING_H
#define PROXY_ROUTING_H

#include "conf/conf.h"
#include "proto/proto.h"

/*
 * Finds the compute and the entry of [databases] that serves it, and rewrites
 * the packet for the compute.  False and *why if no compute is named, or none
 * is served by that name.
 */
bool routing_find(const Config *conf, const char *engine, Startup *startup, char *compute,
		  size_t size, const Database **database, Fault *why);

#endif
