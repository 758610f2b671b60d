#include "secure.h"

#include "control/control.h"

/* Clients are known by their tokens, so no certificate is asked of them. */
bool secure_load(const Config *conf, TlsContext **out, Fault *why)
{
	const TlsSetup setup = {.names = "[control] tls",
				.cert_file = conf->control.tls_cert_file.s,
				.key_file = conf->control.tls_key_file.s,
				.ca_file = "",
				.protocols = "secure",
				.ciphers = "",
				.ciphers13 = "",
				.curve = "",
				.verify = TLS_VERIFY_NONE};

	*out = NULL;
	if (!conf->has_control || !*setup.cert_file)
		return true;
	*out = tls_server_context(&setup, why);
	return *out;
}

bool control_check(const Config *conf, Fault *why)
{
	TlsContext *tls;

	if (!secure_load(conf, &tls, why))
		return false;
	tls_context_release(tls);
	return true;
}
