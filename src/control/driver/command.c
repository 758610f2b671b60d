#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine.h"

void command_add(Command *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	assert(c->n < COMMAND_WORDS - 1);
	va_start(ap, fmt);
	n = vsnprintf(c->text + c->used, sizeof(c->text) - c->used, fmt, ap);
	va_end(ap);
	assert((size_t)n < sizeof(c->text) - c->used);
	c->argv[c->n++] = c->text + c->used;
	c->argv[c->n] = NULL;
	c->used += (size_t)n + 1;
}
