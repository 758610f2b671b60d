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
	if (why.code == FAULT_NONE && cursor && !text_copy(page->after, ID_SIZE, cursor))
		fault_set(&why, FAULT_BAD_VALUE, "cursor is not one that was given out");
	if (why.code == FAULT_NONE)
		return true;
	call_refuse(call, &why, NULL);
	return false;
}

int page_count(const Call *call, int n)
{
	Fault why;
	int limit = (int)limit_of(call, &why);

	return n < limit ? n : limit;
}

void page_answer(Call *call, const char *name, json_t *list, const char *next)
{
	call_answer(call, 200,
		    json_pack("{s:o, s:o}", name, list, "next_cursor",
			      next ? json_string(next) : json_null()));
}
