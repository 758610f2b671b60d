#ifndef PROXY_ACCEPT_H
#define PROXY_ACCEPT_H

#include "worker.h"

/* Begins to accept. */
void door_init(Worker *w);

/* Stops for good. */
void door_shut(Worker *w);

/* Opens the door again if the loads allow it. */
void door_look(Worker *w);

/* After our load has changed: nudges workers that may open their doors. */
void door_load_changed(Worker *w);

#endif
