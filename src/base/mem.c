#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p, size_t size)
{
	if (!p) {
		fprintf(stderr, "out of memory, asking for %zu bytes\n", size);
		abort();
	}
	return p;
}

void *mem_new(size_t n, size_t size)
{
	return or_die(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *mem_grow(void *old, size_t size)
{
	return or_die(realloc(old, size ? size : 1), size);
}

char *mem_text(const char *text)
{
	return or_die(strdup(text), strlen(text) + 1);
}

void mem_wipe_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}
