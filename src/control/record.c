#include "record.h"

#include <assert.h>
#include <string.h>
#include <time.h>

static const char *const words[] = {
#define STATE(name, word) [COMPUTE_##name] = word,
#include "states.def"
#undef STATE
};

const char *compute_state_word(ComputeState state)
{
	assert(state < COMPUTE_STATES);
	return words[state];
}

ComputeState compute_state_of_word(const char *word)
{
	int state = 0;

	while (state < COMPUTE_STATES && strcmp(words[state], word) != 0)
		state++;
	return (ComputeState)state;
}

void time_text(char out[TIME_TEXT_SIZE], int64_t at)
{
	time_t seconds = (time_t)(at / 1000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(out, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
