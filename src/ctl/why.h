/* reveillectl why: what keeps a compute awake, and what did. */
#ifndef CTL_WHY_H
#define CTL_WHY_H

#include "command.h"
#include "setup.h"

/* False and *why if there was no answer or a refusal. */
bool why_run(const Call *call, const Setup *setup, Fault *why);

#endif
