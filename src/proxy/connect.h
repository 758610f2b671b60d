/*
 * A connection to a server that is ready for its protocol.
 *
 * Dialled, told the client's address if computes are to hear it (PROXY protocol),
 * and secured as server_tls_sslmode says.  Sessions, cancels and peers all reach
 * servers through here.
 */
#ifndef PROXY_CONNECT_H
#define PROXY_CONNECT_H

#include "access.h"
#include "conf/conf.h"
#include "conf/network.h"
#include "proto/proto.h"
#include "sys/address.h"
#include "sys/dial.h"
#include "sys/stream.h"

typedef struct Worker Worker;

#define SERVER_NAME_SIZE 256

typedef struct ConnectPlan {
	const Config *conf;
	const Proto *proto;
	Address to;
	const char *server_name;               /* for SNI and its certificate; "" if it has none */
	bool tls_needed;                       /* whoever named the server says that it has TLS */
	const ClientAddress *client, *reached; /* for the PROXY header, or NULL */
	int64_t timeout_ms;
} ConnectPlan;

typedef struct Connect {
	Worker *worker;
	const Proto *proto;
	Access *access; /* as it was when it began; NULL while nothing is under way */
	Stream *stream;
	Dial dial;
	Timer timer;
	bool ask_tls, tls_needed;
	char server_name[SERVER_NAME_SIZE];
	Buf header; /* to be sent before anything else */
	int64_t until_ms;
	/* The stream is ready, and the receiver is to hear it; or why it is closed. */
	void (*on_connected)(void *arg, const Fault *why);
	void *arg;
} Connect;

/* The stream is the caller's, and stays where it is. */
void connect_init(Connect *c, Worker *w, Stream *stream,
		  void (*on_connected)(void *arg, const Fault *why), void *arg);

/* Begins; never calls back before it returns. The plan's texts are copied. */
void connect_start(Connect *c, const ConnectPlan *plan);

/* Gives up; the stream is the caller's to close. Harmless if nothing is under way. */
void connect_stop(Connect *c);

#endif
