/*
 * The types of settings: how each is read from text, printed and compared.
 */
#ifndef CONF_TYPE_H
#define CONF_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Type {
	const char *name; /* as in "takes a …" */
	size_t size;
	bool (*parse)(void *field, const char *text);
	void (*print)(const void *field, char *out, size_t n);
	int64_t (*rank)(const void *field); /* NULL when the type has no order */
} Type;

extern const Type type_INT, type_BOOL, type_TIME, type_MODE, type_TEXT, type_CHOICE, type_SIZE;

#endif
