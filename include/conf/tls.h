/* The words of client_tls_protocols and server_tls_protocols. */
#ifndef CONF_TLS_H
#define CONF_TLS_H

enum {
	CONF_TLS_1_0 = 1,
	CONF_TLS_1_1 = 2,
	CONF_TLS_1_2 = 4,
	CONF_TLS_1_3 = 8,
};

/* The versions that a list of words stands for; 0 if it has none, or a word that is not known. */
unsigned conf_tls_versions(const char *words);

#endif
