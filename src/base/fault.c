#include "base/fault.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const FaultInfo fault_table[FAULT_COUNT] = {
	[FAULT_NONE] = {"NONE", "00000", 0, 200, FAULT_LEVEL_INFO, "no fault"},
#define FAULT(name, sqlstate, mysql, http, level, text) \
	[FAULT_##name] = {#name, sqlstate, mysql, http, FAULT_LEVEL_##level, text},
#include "base/faults.def"
#undef FAULT
};

bool fault_set(Fault *f, FaultCode code, const char *fmt, ...)
{
	va_list ap;

	assert(code > FAULT_NONE && code < FAULT_COUNT);
	*f = (Fault){.code = code};
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	return false;
}

bool fault_figures(Fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->figures, sizeof(f->figures), fmt, ap);
	va_end(ap);
	return false;
}

bool fault_hint(Fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->hint, sizeof(f->hint), fmt, ap);
	va_end(ap);
	return false;
}

bool fault_cause(Fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->cause, sizeof(f->cause), fmt, ap);
	va_end(ap);
	return false;
}

const FaultInfo *fault_info(FaultCode code)
{
	assert(code < FAULT_COUNT);
	return &fault_table[code];
}
