/* Small files, whole. */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <stddef.h>

#include "base/fault.h"

/* The content of a file of fewer than `most` bytes, to be freed; NULL and *why. */
char *file_text(const char *path, size_t most, Fault *why);

#endif
