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

/* How many of the rows that were read belong to the page. */
int page_count(const Call *call, int n);

/* Answers; list's reference is taken. next is the last id of the page, or NULL at the end. */
void page_answer(Call *call, const char *name, json_t *list, const char *next);

#endif
