/*
 * Maps of pg_ident.conf: which names of the outside (of a certificate, of the
 * operating system) may be which users of the database.
 */
#ifndef CONF_IDENT_H
#define CONF_IDENT_H

#include "conf/hba.h"

typedef struct IdentMaps IdentMaps;

IdentMaps *ident_parse(const char *file, const char *text, Fault *why);

/* The map of that name, or NULL. */
const IdentMap *ident_find(const IdentMaps *maps, const char *name);

/* NULL is allowed. */
void ident_free(IdentMaps *maps);

#endif
