/*
 * A data folder that is made once for each version of an engine and copied for each compute.
 *
 * Made under a name of its own and renamed when it is whole, so there is never half a
 * template, whoever dies when.
 */
#ifndef CONTROL_TEMPLATE_H
#define CONTROL_TEMPLATE_H

#include <sys/queue.h>

#include "engine.h"

/* Somebody who waits for a template; embedded in him. */
typedef struct TemplateWant {
	void (*on_made)(void *arg, const char *failure); /* NULL if it is there */
	void *arg;
	STAILQ_ENTRY(TemplateWant) link;
} TemplateWant;

typedef struct Template {
	Loop *loop;
	const Program *program;
	char folder[PATH_SIZE];  /* the template, once it is there */
	char partial[PATH_SIZE]; /* what is being made */
	char log[PATH_SIZE];
	char mark[LIFE_SIZE + 8];
	Process *job;
	STAILQ_HEAD(, TemplateWant) wants;
} Template;

/* parent is a folder that is there; mark is for the name of what is not whole yet. */
void template_init(Template *t, Loop *loop, const Program *program, const char *parent,
		   const char *mark);

bool template_is_there(const Template *t);

/* Makes it, if nobody does yet, and tells `want` (which may be NULL) when it is done. */
void template_make(Template *t, TemplateWant *want);

#endif
