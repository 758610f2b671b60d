#include "pg.h"

const Proto proto_pg = {
	.name = "postgres",
	.hello = pg_hello,
	.ask_tls = pg_ask_tls,
	.tls_answer = pg_tls_answer,
	.negotiate = pg_negotiate,
	.begin = pg_begin,
	.ask_proof = pg_ask_proof,
	.prove = pg_prove,
	.welcome = pg_welcome,
	.login = pg_login,
	.stretched = pg_stretched,
	.wanted = pg_wanted,
	.passable = pg_passable,
	.watch = pg_watch,
	.refuse = pg_refuse,
	.cancel = pg_cancel,
};
