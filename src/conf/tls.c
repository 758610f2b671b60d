#include "conf/tls.h"

#include <string.h>

#include "base/text.h"
#include "conf/conf.h"

static unsigned version_named(const char *word)
{
	static const struct {
		const char *word;
		unsigned versions;
	} words[] = {
		{"tlsv1.0", CONF_TLS_1_0},
		{"tlsv1.1", CONF_TLS_1_1},
		{"tlsv1.2", CONF_TLS_1_2},
		{"tlsv1.3", CONF_TLS_1_3},
		{"secure", CONF_TLS_1_2 | CONF_TLS_1_3},
		{"all", CONF_TLS_1_0 | CONF_TLS_1_1 | CONF_TLS_1_2 | CONF_TLS_1_3},
		{"legacy", CONF_TLS_1_0 | CONF_TLS_1_1 | CONF_TLS_1_2 | CONF_TLS_1_3},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(word, words[i].word) == 0)
			return words[i].versions;
	}
	return 0;
}

unsigned conf_tls_versions(const char *words)
{
	char copy[CONF_VALUE_MAX], *rest = copy;
	unsigned all = 0;

	text_copy(copy, sizeof(copy), words);
	while (rest) {
		unsigned one = version_named(text_trim(strsep(&rest, ",")));

		if (!one)
			return 0;
		all |= one;
	}
	return all;
}
