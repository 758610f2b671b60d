/*
 * A configuration file of any bytes: it is taken whole or refused with a
 * sentence that says where it is wrong.
 */
#include "fuzz.h"

#include "conf/conf.h"

static void forget(const char *name)
{
	(void)name;
}

static void use(const Config *conf)
{
	const Config *now = conf_defaults();
	FILE *out = fopen("/dev/null", "w");

	conf_show(conf, out);
	fclose(out);
	for (int i = 0; i < conf->n_databases; i++)
		CHECK(conf_database(conf, conf->databases[i].name) == &conf->databases[i]);
	for (int i = 0; i < conf->n_users; i++)
		CHECK(conf_user(conf, conf->users[i].name) == &conf->users[i]);
	for (int i = 0; i < conf->n_peers; i++)
		CHECK(conf->peers[i].id != conf->reveille.peer_id && *conf->peers[i].host);
	conf_keep_restart_only((Config *)(uintptr_t)conf, now, forget);
	conf_release(now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of_input((Span){data, size});
	Fault why = {0};
	const Config *conf = conf_parse("x.ini", text, NULL, 0, &why);

	if (conf) {
		use(conf);
		conf_release(conf);
	} else {
		CHECK(why.code == FAULT_BAD_SETTING);
		CHECK(strncmp(why.detail, "x.ini:", 6) == 0);
	}
	free(text);
	return 0;
}
