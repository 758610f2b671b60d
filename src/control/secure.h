/* TLS of the REST API: the certificate that [control] names. */
#ifndef CONTROL_SECURE_H
#define CONTROL_SECURE_H

#include "conf/conf.h"
#include "sys/tls.h"

/* *out is NULL if none is named. False and *why if the files are no good. */
bool secure_load(const Config *conf, TlsContext **out, Fault *why);

#endif
