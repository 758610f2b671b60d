#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"
#include "conf/where.h"

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

/* Where every address is listened on, this machine's own is one. */
static void url_of_listener(char *out, size_t n, const char *listen, bool tls)
{
	Where w;

	if (!where_parse(&w, listen))
		*out = 0;
	else if (w.is_path)
		snprintf(out, n, "unix:%s:", w.host);
	else if (strcmp(w.host, "*") == 0 || strcmp(w.host, "0.0.0.0") == 0)
		snprintf(out, n, "http%s://127.0.0.1:%d", tls ? "s" : "", w.port);
	else
		snprintf(out, n, strchr(w.host, ':') ? "http%s://[%s]:%d" : "http%s://%s:%d",
			 tls ? "s" : "", w.host, w.port);
}

/* Of what it listens on, what needs no certificate to be trusted; else the first. */
static void url_of_control(char *out, size_t n, const Config *conf)
{
	bool tls = *conf->control.tls_cert_file.s;
	int chosen = 0;

	for (int i = conf->n_control_listen - 1; tls && i >= 0; i--) {
		if (strchr("/@", *conf->control_listen[i]))
			chosen = i;
	}
	url_of_listener(out, n, conf->control_listen[chosen], tls);
}

/* Another control plane's address if the configuration runs none of its own. */
static void url_of_config(char *out, size_t n, const Config *conf)
{
	if (conf->has_control)
		url_of_control(out, n, conf);
	else
		text_copy(out, n, conf->wake.control_plane_url.s);
}

/* The file that the control plane writes at its first start, or the one that its clients read. */
static void token_path_of_config(char *out, size_t n, const Config *conf, bool own)
{
	if (own)
		conf_admin_token_file(conf, out, n);
	else
		text_copy(out, n, conf->wake.token_file.s);
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
		url_of_config(setup->url, sizeof(setup->url), conf);
	for (n = strlen(setup->url); n > 0 && setup->url[n - 1] == '/'; n--)
		setup->url[n - 1] = 0;
	if (text_starts(setup->url, "unix:") && !strchr(setup->url + 5, ':'))
		text_copy(setup->url + n, sizeof(setup->url) - n, ":");
}

static void find_ca(Setup *setup, const Call *call, const Config *conf)
{
	const char *from_environment = getenv("REVEILLE_CA_FILE");

	if (call->ca_file)
		text_copy(setup->ca_file, sizeof(setup->ca_file), call->ca_file);
	else if (!call->config_file && from_environment)
		text_copy(setup->ca_file, sizeof(setup->ca_file), from_environment);
	else
		text_copy(setup->ca_file, sizeof(setup->ca_file), conf->wake.ca_file.s);
}

bool setup_find(Setup *setup, const Call *call, Fault *why)
{
	const Config *conf = read_config(call->config_file, why);
	bool ok;

	if (!conf)
		return false;
	find_url(setup, call, conf);
	find_ca(setup, call, conf);
	ok = find_token(setup, call, conf, why);
	conf_release(conf);
	return ok;
}
