#include "pause.h"

#define A_WHILE_MS 3000
#define FIRST_MS   500
#define MOST_MS    30000

int64_t pause_after(int64_t before_ms, int64_t lived_ms, bool by_signal)
{
	if (lived_ms >= A_WHILE_MS)
		return 0;
	if (by_signal || before_ms < FIRST_MS)
		return FIRST_MS;
	return before_ms < MOST_MS / 2 ? before_ms * 2 : MOST_MS;
}
