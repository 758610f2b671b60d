/* The name under which ps shows a process. */
#ifndef SYS_TITLE_H
#define SYS_TITLE_H

/*
 * Before anything else in main(): makes room where the arguments lie, and
 * returns the copy of them that is to be used from now on.
 */
char **title_init(char **argv);

void title_set(const char *title);

#endif
