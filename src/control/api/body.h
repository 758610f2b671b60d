/* Members that several bodies have in common. All fill *why with a 422 that names the member. */
#ifndef CONTROL_API_BODY_H
#define CONTROL_API_BODY_H

#include "../settings.h"
#include "api.h"

/* "name", which must be there: any text that fits. */
bool body_name(const Call *call, char *out, size_t size, Fault *why);

/* "config", merged into what was there before, checked, as text. */
bool body_config(const Call *call, SettingsOf of, const char *before, char out[CONFIG_SIZE],
		 Fault *why);

/* "size", which must be there: compute units, in thousandths. */
bool body_size(const Call *call, int *size, Fault *why);

/* A text that may be missing: then *value is `otherwise`. */
bool body_text(const json_t *object, const char *name, const char *otherwise, const char **value,
	       Fault *why);

/* A number that may be missing: then *value stays as it is. */
bool body_int(const json_t *object, const char *name, int64_t least, int64_t most, int64_t *value,
	      Fault *why);

#endif
