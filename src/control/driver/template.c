#include "template.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/log.h"
#include "sys/random.h"

#define TAIL_SIZE 600

void template_init(Template *t, Loop *loop, const Program *program, const char *parent,
		   const char *mark)
{
	*t = (Template){.loop = loop, .program = program};
	path_set(t->folder, "%s/%s-%s-%d", parent, program->engine->name, program->version,
		 program->engine->revision);
	path_set(t->log, "%s.log", t->folder);
	text_copy(t->mark, sizeof(t->mark), mark);
	STAILQ_INIT(&t->wants);
}

bool template_is_there(const Template *t)
{
	return access(t->folder, F_OK) == 0;
}

/* Whoever renames first wins; all of them made the same. */
static int make(void *arg)
{
	Template *t = arg;

	if (!t->program->engine->make_template(t->program, t->partial))
		return 1;
	folder_sync(t->partial);
	if (rename(t->partial, t->folder) == -1)
		folder_remove(t->partial);
	return template_is_there(t) ? 0 : 1;
}

static void tell_all(Template *t, const char *failure)
{
	TemplateWant *want;

	while ((want = STAILQ_FIRST(&t->wants)) != NULL) {
		STAILQ_REMOVE_HEAD(&t->wants, link);
		want->on_made(want->arg, failure);
	}
}

static void on_job_end(void *arg, int status)
{
	Template *t = arg;
	char tail[TAIL_SIZE], failure[REASON_SIZE];

	process_free(t->job);
	t->job = NULL;
	if (status == 0) {
		log_info("made a template: folder=\"%s\"", t->folder);
		unlink(t->log);
		tell_all(t, NULL);
		return;
	}
	file_tail(t->log, 0, tail, sizeof(tail));
	snprintf(failure, sizeof(failure), "could not make the template of %s: %s",
		 t->program->engine->name, tail);
	log_error("%s", failure);
	tell_all(t, failure);
}

void template_make(Template *t, TemplateWant *want)
{
	char random[9];
	Fault why;

	if (want)
		STAILQ_INSERT_TAIL(&t->wants, want, link);
	if (t->job)
		return;
	random_hex(random, 4);
	path_set(t->partial, "%s%s-%s", t->folder, t->mark, random);
	unlink(t->log);
	t->job = process_job(t->loop, make, t->log, on_job_end, t, &why);
	if (!t->job)
		tell_all(t, why.detail);
}
