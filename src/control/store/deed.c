#include "deed.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* ---- rows -------------------------------------------------------------- */

void row_text(const Row *row, int column, char *out, size_t size)
{
	assert(column < row->n);
	text_copy(out, size, row->cells[column] ? row->cells[column] : "");
}

int64_t row_int(const Row *row, int column)
{
	assert(column < row->n);
	return row->cells[column] ? strtoll(row->cells[column], NULL, 10) : 0;
}

/* ---- making one -------------------------------------------------------- */

Deed *deed_new(Store *s, DeedKind kind, StoreCall call)
{
	Deed *d = NEW(Deed);

	d->store = s;
	d->kind = kind;
	d->call = call;
	if (kind != DEED_READ && s->shared && s->epoch > 0) {
		deed_say(d, "SELECT 1 FROM leadership WHERE epoch = $1 FOR SHARE", "i", s->epoch);
		deed_expect(d, FAULT_NOT_LEADER, "another control plane is in charge by now");
	}
	return d;
}

static void set_text(Statement *s, int i, const char *text)
{
	s->is_text[i] = true;
	s->texts[i] = mem_text(text);
}

static void set_number(Statement *s, int i, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	s->numbers[i] = number;
	s->texts[i] = mem_text(text);
}

void deed_say(Deed *d, const char *sql, const char *types, ...)
{
	Statement *s = NEW(Statement);
	va_list ap;

	assert(strlen(types) <= DEED_PARAMS);
	s->sql = mem_text(sql);
	va_start(ap, types);
	for (; types[s->n_params]; s->n_params++) {
		if (types[s->n_params] == 't')
			set_text(s, s->n_params, va_arg(ap, const char *));
		else
			set_number(s, s->n_params, va_arg(ap, int64_t));
	}
	va_end(ap);
	if (d->last)
		d->last->next = s;
	else
		d->first = s;
	d->last = s;
}

void deed_expect(Deed *d, FaultCode code, const char *fmt, ...)
{
	char text[sizeof(d->last->otherwise.detail)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fault_set(&d->last->otherwise, code, "%s", text);
}

void deed_take(Deed *d, size_t size, RowTake take)
{
	d->last->take = take;
	d->last->size = size;
}

void deed_do(Deed *d)
{
	d->store->ops->run(d->store, d);
}

/* ---- what engines say of it -------------------------------------------- */

void deed_found(Deed *d, const Statement *s, const Row *row)
{
	char *record;

	if (!s->take)
		return;
	d->found = mem_grow(d->found, s->size * (size_t)(d->n_found + 1));
	record = (char *)d->found + s->size * (size_t)d->n_found++;
	memset(record, 0, s->size);
	s->take(record, row);
}

bool deed_satisfies(const Statement *s, int touched, Fault *why)
{
	if (touched > 0 || s->otherwise.code == FAULT_NONE)
		return true;
	*why = s->otherwise;
	return false;
}

void deed_not_unique(Fault *why)
{
	fault_set(why, FAULT_EXISTS, "that name is taken");
}

void deed_end(Deed *d, const Fault *why)
{
	StoreRows rows = {0};

	if (!why)
		rows = (StoreRows){.n = d->n_found, .at = d->found};
	if (d->call.on_answer)
		d->call.on_answer(d->call.arg, &rows, why);
	deed_free(d);
}

static void free_statement(Statement *s)
{
	for (int i = 0; i < s->n_params; i++)
		mem_wipe_text(s->texts[i]);
	free(s->sql);
	free(s);
}

void deed_free(Deed *d)
{
	while (d->first) {
		Statement *next = d->first->next;

		free_statement(d->first);
		d->first = next;
	}
	free(d->found);
	free(d);
}
