/*
 * The highest generation that was obeyed for a compute, kept in a file of its folder.
 *
 * A control process that stood still while another one took its place must not undo what
 * that one did, so each passes the fence before it acts.  The number is raised by one
 * compare-and-swap in a page that all of them share: nobody holds a lock while he sleeps.
 */
#ifndef CONTROL_FENCE_H
#define CONTROL_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False, and a sentence that begins with "fenced:", if a higher generation was there before. */
bool fence_pass(const char *folder, int64_t generation, char *failure, size_t size);

#endif
