/*
 * JSON Schemas (draft 2020-12) of what the API takes and gives, made from the rows
 * of schemas.def and of settings.def.
 */
#ifndef CONTROL_API_SCHEMA_H
#define CONTROL_API_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "base/fault.h"

/* All of them, by name. A schema that is `closed` has no members but its own. */
json_t *schemas_make(bool (*closed)(const char *schema));

/* The schema of a type as schemas.def writes it. */
json_t *schema_of_type(const char *type);

/* A query's parameter of that name, as OpenAPI describes one; NULL if there is none. */
json_t *schema_of_parameter(const char *name, bool required);

/* FAULT_BAD_VALUE if an object has a member that its schema has not. "" knows everything. */
bool schema_knows(const char *schema, const json_t *object, Fault *why);

#endif
