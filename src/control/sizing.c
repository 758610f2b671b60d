#include "sizing.h"

#include <stdio.h>

#include "base/text.h"

SizeBounds sizing_bounds(const ProjectSettings *project, const ComputeSettings *own)
{
	if (own->cpu > 0)
		return (SizeBounds){.least = own->cpu, .most = own->cpu, .own = true};
	return (SizeBounds){.least = project->min_size, .most = project->max_size};
}

static void say_bounds(const SizeBounds *b, char *out, size_t size)
{
	if (b->own)
		snprintf(out, size, "its config.resources.cpu says %g", b->least / 1000.0);
	else
		snprintf(out, size, "its project allows %g to %g", b->least / 1000.0,
			 b->most / 1000.0);
}

int sizing_fit(int size, const SizeBounds *b, char reason[REASON_SIZE])
{
	say_bounds(b, reason, REASON_SIZE);
	if (size > b->most)
		return b->most;
	return size < b->least ? b->least : size;
}

bool sizing_check(int size, const SizeBounds *b, Fault *why)
{
	char bounds[100];

	say_bounds(b, bounds, sizeof(bounds));
	return (size >= b->least && size <= b->most) ||
	       fault_set(why, FAULT_BAD_VALUE, "size cannot be %g: %s", size / 1000.0, bounds);
}

void sizing_wish(Sizing *s, int size, const char *reason)
{
	s->wish = size;
	text_copy(s->reason, sizeof(s->reason), reason);
}

bool sizing_is_due(const Sizing *s, const Compute *c)
{
	return s->wish > 0 && s->wish != c->size;
}

void sizing_tell(Sizing *s, int size, int64_t memory)
{
	s->told = size;
	s->told_memory = memory;
}

bool sizing_is_told(const Sizing *s, const Compute *c)
{
	return s->told == c->size && s->told_memory == settings_of_compute(c->config).memory;
}

void sizing_forget(Sizing *s)
{
	s->told = 0;
	s->failure[0] = 0;
}
