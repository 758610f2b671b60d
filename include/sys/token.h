/* The bearer token for the control plane. */
#ifndef SYS_TOKEN_H
#define SYS_TOKEN_H

#include "conf/conf.h"

#define TOKEN_SIZE 1024

/*
 * What token_file holds; without one, `own` if the control plane is of this
 * process tree, else "".  A file that cannot be read is logged, and gives "".
 */
void token_read(const Config *conf, const char *own, char out[TOKEN_SIZE]);

#endif
