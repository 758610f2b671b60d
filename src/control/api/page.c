#include "page.h"

#include <stdlib.h>

#include "base/text.h"

#define USUAL_LIMIT 100
#define MOST_LIMIT  1000

static int64_t limit_of(const Call *call, Fault *why)
{
	int64_t limit = USUAL_LIMIT;

	return call_query_int(call, "limit", 1, MOST_LIMIT, &limit, why) ? limit : 0;
}

bool page_of_query(Call *call, Page *page)
{
	const char *cursor = request_query(call->request, "cursor");
	Fault why = {0};

	page->limit = (int)limit_of(call, &why) + 1;
	if (why.code == FAULT_NONE && cursor &&
	    (!text_is_label(cursor) || !text_copy(page->after, ID_SIZE, cursor)))
		fault_set(&why, FAULT_BAD_VALUE, "cursor is not one that was given out");
	if (why.code == FAULT_NONE)
		return true;
	call_refuse(call, &why, NULL);
	return false;
}

/* NULL after the last page. */
static json_t *cursor_of(const json_t *last, bool more)
{
	const json_t *id = json_object_get(last, "id");

	if (!more)
		return json_null();
	if (json_is_string(id))
		return json_string(json_string_value(id));
	return json_sprintf("%lld", (long long)json_integer_value(id));
}

void page_answer(Call *call, const char *name, PageRow row, const StoreRows *rows, const Fault *why)
{
	json_t *list, *next;
	Fault unused;
	int n;

	if (why) {
		call_refuse(call, why, NULL);
		return;
	}
	n = (int)limit_of(call, &unused);
	n = rows->n < n ? rows->n : n;
	list = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(list, row(call, rows, i));
	next = cursor_of(json_array_get(list, (size_t)n - 1), n < rows->n);
	call_answer(call, 200, json_pack("{s:o, s:o}", name, list, "next_cursor", next));
}
