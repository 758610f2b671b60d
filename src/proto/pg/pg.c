#include "pg.h"

const Proto proto_pg = {
	.name = "postgres",
	.hello = pg_hello,
	.negotiate = pg_negotiate,
	.begin = pg_begin,
	.login = pg_login,
	.wanted = pg_wanted,
	.watch = pg_watch,
	.refuse = pg_refuse,
	.cancel = pg_cancel,
};
