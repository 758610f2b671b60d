#include "sizing.h"

#include <stdio.h>

#include "base/text.h"

SizeBounds sizing_bounds(const ProjectSettings *project, const ComputeSettings *own)
{
	int cpu = own->cpu;

	if (project->has_max_size && cpu > project->max_size)
		cpu = project->max_size;
	if (cpu > 0)
		return (SizeBounds){.least = cpu, .most = cpu, .own = true};
	return (SizeBounds){.least = project->min_size, .most = project->max_size};
}

bool sizing_allows(const ProjectSettings *project, const ComputeSettings *own,
		   int64_t memory_per_unit, Fault *why)
{
	int64_t memory = memory_per_unit * project->max_size / 1000;

	if (!project->has_max_size)
		return true;
	if (own->cpu > project->max_size)
		return fault_set(why, FAULT_BAD_VALUE,
				 "config.resources.cpu must not be more than the project's "
				 "max_size, which is %g",
				 project->max_size / 1000.0);
	return own->memory <= memory ||
	       fault_set(why, FAULT_BAD_VALUE,
			 "config.resources.memory must not be more than what goes with the "
			 "project's max_size, which is %lld bytes",
			 (long long)memory);
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
