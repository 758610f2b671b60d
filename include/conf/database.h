/*
 * One line of [databases]: a compute that clients may ask for by name, or "*".
 *
 * The value is a connection string as libpq and PgBouncer write it.  An entry
 * either says where the compute is (host) or that the control plane is to be
 * asked (wake=control_plane).
 */
#ifndef CONF_DATABASE_H
#define CONF_DATABASE_H

#include <stdbool.h>

#include "base/fault.h"
#include "conf/network.h"

#define DATABASE_HOSTS_MAX 16
#define DATABASE_NAME_MAX  64

typedef struct Database {
	char name[DATABASE_NAME_MAX]; /* "*" serves what no other entry does */
	int line;                     /* where it stands in the file; 0: nowhere */
	bool wake;                    /* ask the control plane where it is */
	bool round_robin;             /* begin at the next host for each session */
	int port;
	int n_hosts;
	char hosts[DATABASE_HOSTS_MAX][128]; /* names, addresses or folders of Unix sockets */
	char engine[12];                     /* empty: whichever asks */
	char dbname[DATABASE_NAME_MAX];      /* empty: the client's */
	char user[DATABASE_NAME_MAX];        /* empty: the client's */
	char password[256];                  /* of that user; a password or a SCRAM secret */
	char auth_user[DATABASE_NAME_MAX];   /* empty: as the setting says */
	char *auth_query;                    /* NULL: as the setting says */
	char auth_dbname[DATABASE_NAME_MAX]; /* empty: as the setting says */
	int max_db_connections, max_db_client_connections; /* -1: as the setting says */
	NetworkList allow, deny;                           /* beside those of the settings */
	char client_encoding[32], datestyle[32], timezone[64];
	char application_name[64];
	char *connect_query; /* NULL, or to be run before the client's first query */
} Database;

/*
 * Parses the value of an entry into *d, which is zero but for its name and line.  False and
 * *why (without file and line) if it is not understood.
 */
bool database_parse(Database *d, const char *value, Fault *why);

void database_free(Database *d);

#endif
