#include "store.h"

#include "base/text.h"

#define SQLITE "sqlite:"

const char *store_path(const char *url)
{
	return text_starts(url, SQLITE) ? url + sizeof(SQLITE) - 1 : NULL;
}

Store *store_open(Loop *loop, const char *url, Fault *why)
{
	const char *path = store_path(url);

	if (path && *path)
		return store_sqlite_open(loop, path, why);
	fault_set(why, FAULT_BAD_SETTING, "control.store must be sqlite:PATH, not \"%s\"", url);
	return NULL;
}
