/* Folders of files: made, copied, removed; for jobs, which may block. */
#ifndef CONTROL_FILES_H
#define CONTROL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_SIZE 768

/* Writes a path; ends the program if it does not fit, as lengths are checked when settings are. */
void path_set(char out[PATH_SIZE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes a folder for us alone; one that is there already is good. */
bool folder_make(const char *path);

/* Copies a folder of plain files and folders; `to` must not exist. Says on stderr what failed. */
bool folder_copy(const char *from, const char *to);

/* Removes a folder and all that is in it; one that is not there is good. */
bool folder_remove(const char *path);

/* What it takes on disk, with all that is in it; -1 if it is not there. */
int64_t folder_bytes(const char *path);

/*
 * In names of what is being made or removed, before the name of the process that does it:
 * what a process left that is no more is known by it, and swept away.
 */
#define MARK_MAKING ".tmp-"
#define MARK_GOING  ".gone-"
#define LIFE_SIZE   32

/* How this process stands in such names. */
void life_name(char out[LIFE_SIZE]);

/* Removes what unfinished work of the dead left in a folder: names that hold `mark`. */
void folder_sweep(const char *path, const char *mark);

/* Waits until all that was written to the file system of a path is on disk. */
void folder_sync(const char *path);

/* Renames it to another name within its folder, and has that on disk; errno if it cannot. */
bool folder_move(const char *from, const char *to);

bool file_write(const char *path, const char *text);

/* The same, so that who reads it meanwhile finds the old text or the new one. */
bool file_replace(const char *path, const char *text);

/* Up to size - 1 bytes of a text file from an offset; "" if it cannot be read. */
void file_read(const char *path, long offset, char *out, size_t size);

/*
 * Empties a file that somebody appends to, after its last `keep` bytes were written to another
 * one; false if those could not be.
 */
bool file_cut(const char *path, const char *old, long keep);

/* The last whole lines of a file after an offset that fit. */
void file_tail(const char *path, long offset, char *out, size_t size);
long file_size(const char *path); /* 0 if it is not there */

#endif
