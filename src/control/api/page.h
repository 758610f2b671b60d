/*
 * Lists, a page at a time: ?limit= and ?cursor=, answered with "next_cursor".
 *
 * One row more than asked for is read, which tells whether there is a next page.
 */
#ifndef CONTROL_API_PAGE_H
#define CONTROL_API_PAGE_H

#include "api.h"

/* False after the call was refused. */
bool page_of_query(Call *call, Page *page);

/* One of the rows, as an object whose "id" is the cursor to what follows it. */
typedef json_t *(*PageRow)(const Call *call, const StoreRows *rows, int i);

/* Answers with the rows that belong to the page as a list of that name; or says why not. */
void page_answer(Call *call, const char *name, PageRow row, const StoreRows *rows,
		 const Fault *why);

#endif
