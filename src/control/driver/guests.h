/* The sessions of a server that has a process for each, told by what /proc says of its children. */
#ifndef CONTROL_GUESTS_H
#define CONTROL_GUESTS_H

#include <sys/types.h>

#include "../crowd.h"

/* What a child's command line, as it is now, says of whom it serves. */
typedef Guest (*GuestOf)(const char *title);

/* False if somebody may be missing: then what *crowd says is no more than a part. */
bool guests_count(pid_t server, GuestOf guest_of, Crowd *crowd);

#endif
