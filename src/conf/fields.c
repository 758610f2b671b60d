#include "fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLANKS " \t\r"

/* Takes a line off the text, with those that a \ at its end joins to it. */
static char *take_line(char **rest, int *number)
{
	char *line = *rest, *out = line;

	for (;;) {
		char *raw = strsep(rest, "\n");
		size_t n = strlen(raw);

		++*number;
		while (n > 0 && raw[n - 1] == '\r')
			n--;
		memmove(out, raw, n);
		out += n;
		if (n == 0 || out[-1] != '\\')
			break;
		out--;
		if (!*rest)
			break;
	}
	*out = 0;
	return line;
}

/* Reads a word in place; *at is then at what ended it, which *end tells. */
static bool read_word(char **at, Word *w, char *end, Fault *why)
{
	char *p = *at, *out = p;
	bool inside = false;

	*w = (Word){.text = p, .quoted = *p == '"'};
	for (; *p && (inside || !strchr(BLANKS ",#", *p)); p++) {
		if (*p != '"')
			*out++ = *p;
		else if (inside && p[1] == '"')
			*out++ = *p++;
		else
			inside = !inside;
	}
	if (inside)
		return fault_set(why, FAULT_BAD_SETTING, "a quote is not closed");
	*end = *p;
	*at = p;
	*out = 0;
	return true;
}

/* The words of a line, in place; *words grows as needed and is the caller's to free. */
static bool split(char *line, Word **words, int *n, Fault *why)
{
	bool more = false;
	char *p = line, end = ' ';

	for (*n = 0; end && end != '#'; ++*n) {
		p += strspn(p, BLANKS);
		if (!*p || *p == '#')
			break;
		if (*p == ',')
			return fault_set(why, FAULT_BAD_SETTING,
					 "a comma stands where a word should; write lists as a,b");
		*words = mem_grow(*words, sizeof(Word) * (size_t)(*n + 1));
		if (!read_word(&p, &(*words)[*n], &end, why))
			return false;
		(*words)[*n].more = more = end == ',';
		p += end != 0;
	}
	return !more || fault_set(why, FAULT_BAD_SETTING, "the line ends in a comma");
}

bool fields_parse(const char *file, const char *text,
		  bool (*each)(void *arg, Fields *line, Fault *why), void *arg, Fault *why)
{
	char *copy = mem_text(text), *rest = copy;
	Word *words = NULL;
	Fault inner;
	bool ok = true;

	for (int number = 0, first = 1; ok && rest; first = number + 1) {
		char *line = take_line(&rest, &number);
		int n;

		ok = split(line, &words, &n, &inner);
		if (ok && n > 0)
			ok = each(arg, &(Fields){words, n}, &inner);
		if (!ok)
			fault_set(why, FAULT_BAD_SETTING, "%s:%d: %s", file, first, inner.detail);
	}
	free(words);
	free(copy);
	return ok;
}

Fields fields_take(Fields *line)
{
	Fields field = {line->words, 0};

	while (field.n < line->n) {
		if (!field.words[field.n++].more)
			break;
	}
	line->words += field.n;
	line->n -= field.n;
	return field;
}

bool fields_take_word(Fields *line, const char *name, const Word **out, Fault *why)
{
	Fields field = fields_take(line);

	if (field.n == 0)
		return fault_set(why, FAULT_BAD_SETTING, "the line ends before its %s", name);
	if (field.n > 1)
		return fault_set(why, FAULT_BAD_SETTING,
				 "the %s is one word, and no list that begins with \"%.80s\"", name,
				 field.words[0].text);
	*out = field.words;
	return true;
}

bool word_is(const Word *w, const char *keyword)
{
	return !w->quoted && strcmp(w->text, keyword) == 0;
}
