/*
 * Members of "config" that are lists: one item at a time, from JSON into what the
 * decisions take.
 *
 * Pure.  The same readers check what comes in and read what was kept, so the two
 * cannot disagree.
 */
#ifndef CONTROL_SETTINGS_LISTS_H
#define CONTROL_SETTINGS_LISTS_H

#include "settings.h"

/* Adds the item; false and a sentence if it could not be meant. The list is known to fit. */
typedef bool (*ItemReader)(ProjectSettings *s, const json_t *item, Fault *why);

bool settings_add_role(ProjectSettings *s, const json_t *item, Fault *why);
bool settings_add_application(ProjectSettings *s, const json_t *item, Fault *why);
bool settings_add_network(ProjectSettings *s, const json_t *item, Fault *why);
bool settings_add_hours(ProjectSettings *s, const json_t *item, Fault *why);
bool settings_add_time(ProjectSettings *s, const json_t *item, Fault *why);

#endif
