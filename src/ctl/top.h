/* reveillectl top: who is awake, and why. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "command.h"
#include "setup.h"

/*
 * On a terminal again every few seconds, until the program is ended; otherwise once.
 * False and *why if there was no answer or a refusal.
 */
bool top_run(const Call *call, const Setup *setup, Fault *why);

#endif
