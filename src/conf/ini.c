#include "ini.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static void drop_comment(char *value)
{
	bool quoted = false;

	for (char *p = value; *p; p++) {
		if (*p == '\'')
			quoted = !quoted;
		if (!quoted && (*p == ';' || *p == '#') &&
		    (p == value || isspace((unsigned char)p[-1]))) {
			*p = 0;
			return;
		}
	}
}

static bool begin_section(char *text, IniLine *line, Fault *why)
{
	char *end = strchr(text, ']'), *after;

	if (!end)
		return fault_set(why, FAULT_BAD_SETTING, "a section's name ends in ]");
	*end = 0;
	after = text_trim(end + 1);
	if (*after && *after != ';' && *after != '#')
		return fault_set(why, FAULT_BAD_SETTING, "\"%s\" stands behind [%s]", after,
				 text + 1);
	line->section = text_trim(text + 1);
	line->name = line->value = NULL;
	return true;
}

static bool split_setting(char *text, IniLine *line, Fault *why)
{
	char *eq = strchr(text, '=');

	if (!eq)
		return fault_set(why, FAULT_BAD_SETTING, "expected name = value, not \"%s\"", text);
	*eq = 0;
	drop_comment(eq + 1);
	line->name = text_trim(text);
	line->value = text_trim(eq + 1);
	if (!*line->name)
		return fault_set(why, FAULT_BAD_SETTING, "there is no name before the =");
	if (!*line->section)
		return fault_set(why, FAULT_BAD_SETTING, "\"%s\" stands before the first [section]",
				 line->name);
	return true;
}

bool ini_parse(const char *text, bool (*each)(void *arg, const IniLine *line, Fault *why),
	       void *arg, int *at_line, Fault *why)
{
	char *copy = mem_text(text), *rest = copy;
	IniLine line = {.section = ""};
	bool ok = true;

	while (ok && rest) {
		char *at = text_trim(strsep(&rest, "\n"));

		*at_line = ++line.number;
		if (!*at || *at == ';' || *at == '#')
			continue;
		ok = *at == '[' ? begin_section(at, &line, why) : split_setting(at, &line, why);
		ok = ok && each(arg, &line, why);
	}
	free(copy);
	return ok;
}
