/*
 * An auth_file of any bytes: every user of a list that is taken can be found by
 * the name that its line has, with a secret that fits; a list that is refused is
 * refused with its line.
 */
#include "fuzz.h"

#include "conf/userlist.h"

/* Names without quotes inside are found as they stand. */
static void check_lines(const Userlist *l, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *name = line + strspn(line, " \t\r"), *end;
		const char *secret;

		if (*name != '"' || !(end = strchr(name + 1, '"')) || end[1] == '"')
			continue;
		*end = 0;
		secret = userlist_find(l, name + 1);
		CHECK(secret && strlen(secret) < USERLIST_SECRET_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of_input((Span){data, size});
	Fault why = {0};
	Userlist *l = userlist_parse("u.txt", text, &why);

	if (l) {
		check_lines(l, text);
	} else {
		CHECK(why.code == FAULT_BAD_SETTING);
		CHECK(strncmp(why.detail, "u.txt:", 6) == 0);
	}
	userlist_free(l);
	free(text);
	return 0;
}
