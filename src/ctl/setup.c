#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"

#define FILE_MAX_BYTES (1ul << 20)

/* The whole file, zero-terminated; free() it. NULL and *why if it cannot be read. */
static char *read_file(const char *path, Fault *why)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	size_t n;

	if (!in) {
		fault_set(why, FAULT_MISCONFIGURED, "could not read \"%s\": %s", path,
			  strerror(errno));
		return NULL;
	}
	text = malloc(FILE_MAX_BYTES + 1);
	n = text ? fread(text, 1, FILE_MAX_BYTES, in) : 0;
	if (text)
		text[n] = 0;
	if (!text || ferror(in)) {
		fault_set(why, FAULT_MISCONFIGURED, "could not read \"%s\": %s", path,
			  strerror(errno));
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

static const Config *read_config(const char *path, Fault *why)
{
	const Config *conf = path ? NULL : conf_defaults();
	char *text;

	if (!path)
		return conf;
	text = read_file(path, why);
	if (!text)
		return NULL;
	conf = conf_parse(path, text, NULL, 0, why);
	free(text);
	return conf;
}

/* Another control plane's address if the configuration runs none of its own. */
static void url_of_config(char *out, size_t n, const Config *conf, bool own)
{
	if (own)
		snprintf(out, n, "http://%s", conf->control.listen.s);
	else
		text_copy(out, n, conf->wake.control_plane_url.s);
}

/* The file the control plane writes at its first start: admin.token beside the store. */
static void token_path_of_config(char *out, size_t n, const Config *conf, bool own)
{
	const char *store = conf->control.store.s, *path = strchr(store, ':');
	const char *slash = strrchr(store, '/');

	if (!own)
		text_copy(out, n, conf->wake.token_file.s);
	else if (*conf->control.admin_token_file.s)
		text_copy(out, n, conf->control.admin_token_file.s);
	else if (path && slash)
		snprintf(out, n, "%.*s/admin.token", (int)(slash - path - 1), path + 1);
	else
		text_copy(out, n, "admin.token");
}

/* A token goes into a header, so nothing may stand in it that ends one. */
static bool take_token(Setup *setup, char *text, const char *from, Fault *why)
{
	const char *token = text_trim(text);

	if (!*token || !text_copy(setup->token, sizeof(setup->token), token))
		return fault_set(why, FAULT_MISCONFIGURED, "%s holds no token", from);
	for (const char *c = token; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return fault_set(why, FAULT_MISCONFIGURED,
					 "%s holds something that is no token", from);
	}
	return true;
}

static bool take_token_file(Setup *setup, const char *path, Fault *why)
{
	char *text = read_file(path, why);
	bool ok;

	if (!text) {
		fault_hint(why, "the admin's token is needed: name its file with -t, or run as the "
				"user that may read it");
		return false;
	}
	ok = take_token(setup, text, path, why);
	free(text);
	return ok;
}

static bool find_token(Setup *setup, const Call *call, const Config *conf, Fault *why)
{
	const char *token = getenv("REVEILLE_TOKEN"), *file = getenv("REVEILLE_TOKEN_FILE");
	char path[CONF_VALUE_MAX + 16], copy[CONF_VALUE_MAX + 16];

	if (call->token_file)
		return take_token_file(setup, call->token_file, why);
	if (!call->config_file && token && *token) {
		text_copy(copy, sizeof(copy), token);
		return take_token(setup, copy, "REVEILLE_TOKEN", why);
	}
	if (!call->config_file && file && *file)
		return take_token_file(setup, file, why);
	token_path_of_config(path, sizeof(path), conf, !call->config_file || conf->has_control);
	return take_token_file(setup, path, why);
}

static void find_url(Setup *setup, const Call *call, const Config *conf)
{
	const char *from_environment = getenv("REVEILLE_CONTROL_URL");
	size_t n;

	if (call->url)
		text_copy(setup->url, sizeof(setup->url), call->url);
	else if (!call->config_file && from_environment && *from_environment)
		text_copy(setup->url, sizeof(setup->url), from_environment);
	else
		url_of_config(setup->url, sizeof(setup->url), conf,
			      !call->config_file || conf->has_control);
	for (n = strlen(setup->url); n > 0 && setup->url[n - 1] == '/'; n--)
		setup->url[n - 1] = 0;
}

bool setup_find(Setup *setup, const Call *call, Fault *why)
{
	const Config *conf = read_config(call->config_file, why);
	bool ok;

	if (!conf)
		return false;
	find_url(setup, call, conf);
	ok = find_token(setup, call, conf, why);
	conf_release(conf);
	return ok;
}
