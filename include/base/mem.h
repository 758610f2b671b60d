/*
 * Allocation that does not return NULL.
 *
 * What a stranger can make us allocate is bounded before these are called;
 * when memory is truly gone the process ends and the supervisor makes a new
 * one (doc/adr/002).
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed memory for n objects of that size; free() it. */
void *mem_new(size_t n, size_t size) __attribute__((malloc, returns_nonnull));

/* As realloc(); new bytes are not zeroed. */
void *mem_grow(void *old, size_t size) __attribute__((returns_nonnull));

/* A copy of the text; free() it. */
char *mem_text(const char *text) __attribute__((malloc, returns_nonnull));

/* Frees a text that holds secrets, and leaves nothing of it; NULL is harmless. */
void mem_wipe_text(char *text);

#define NEW(Type) ((Type *)mem_new(1, sizeof(Type)))

#endif
