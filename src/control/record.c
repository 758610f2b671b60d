#include "record.h"

#include <assert.h>
#include <string.h>

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
