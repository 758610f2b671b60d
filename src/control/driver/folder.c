/*
 * The folder of an instance: copied from the template, removed in the end.
 *
 * Both take a while and block, so a job does them; both work under a name of
 * their own, so that an id names a whole folder or none.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "process.h"
#include "sys/log.h"
#include "sys/random.h"

#define TAIL_SIZE 700

static void set_partial(const Instance *i, char out[PATH_SIZE], const char *mark)
{
	char random[9];

	random_hex(random, 4);
	path_set(out, "%s%s%s-%s", i->home.folder, mark, i->driver->life, random);
}

static const char *const done[] = {
	[TASK_CREATE] = "made",
	[TASK_START] = "brought up to date",
	[TASK_DESTROY] = "removed",
};

static void succeeded(Instance *i)
{
	if (i->task == TASK_START)
		server_launch(i);
	else
		task_end(i, "");
}

static void on_job_end(void *arg, int status)
{
	Instance *i = arg;
	char tail[TAIL_SIZE], failure[REASON_SIZE];

	process_free(i->job);
	i->job = NULL;
	if (status == 0) {
		unlink(i->job_log);
		succeeded(i);
		return;
	}
	file_tail(i->job_log, 0, tail, sizeof(tail));
	snprintf(failure, sizeof(failure), "the folder could not be %s: %s", done[i->task], tail);
	task_end(i, failure);
}

static void run(Instance *i, int (*job)(void *arg))
{
	Fault why;

	unlink(i->job_log);
	i->job = process_job(i->driver->loop, job, i->job_log, on_job_end, i, &why);
	if (!i->job)
		task_end(i, why.detail);
}

/* ---- making ------------------------------------------------------------ */

/* A spare is on disk already, and what the server then writes it syncs by itself. */
static bool copy_template(Instance *i)
{
	if (spares_take(&i->driver->spares, i->partial))
		return true;
	if (!spares_make(&i->driver->template, i->partial))
		return false;
	folder_sync(i->partial);
	return true;
}

static bool give_to_tenant(const Instance *i, const char *folder)
{
	const Tenants *t = &i->driver->tenants;
	uid_t user = t->on ? tenant_claim(t, i->id) : 0;

	return !t->on || (user && tenant_give(user, folder));
}

static bool create_partial(Instance *i)
{
	char data[PATH_SIZE];

	path_set(data, "%s/data", i->partial);
	return copy_template(i) && i->program->engine->set_secrets(i->program, data, &i->order) &&
	       give_to_tenant(i, i->partial);
}

static int create(void *arg)
{
	Instance *i = arg;

	if (create_partial(i)) {
		if (folder_move(i->partial, i->home.folder))
			return 0;
		perror("rename");
	}
	folder_remove(i->partial);
	return access(i->home.folder, F_OK) == 0 ? 0 : 1;
}

static void on_template(void *arg, const char *failure)
{
	Instance *i = arg;

	if (failure)
		task_end(i, failure);
	else
		run(i, create);
}

void folder_create(Instance *i)
{
	if (access(i->home.folder, F_OK) == 0) {
		task_end(i, "");
		return;
	}
	set_partial(i, i->partial, MARK_MAKING);
	if (template_is_there(&i->driver->template)) {
		run(i, create);
		return;
	}
	i->want = (TemplateWant){.on_made = on_template, .arg = i};
	template_make(&i->driver->template, &i->want);
}

/* ---- bringing up to date ------------------------------------------------ */

static int revision_of(const Instance *i)
{
	char path[PATH_SIZE], text[16];

	path_set(path, "%s/revision", i->home.folder);
	file_read(path, 0, text, sizeof(text));
	return *text ? atoi(text) : 1; /* the first did not write it down */
}

bool folder_is_behind(const Instance *i)
{
	return revision_of(i) < i->program->engine->revision ||
	       (i->driver->tenants.on && tenant_of(&i->driver->tenants, i->home.data) == 0);
}

static bool bring_data_up(const Instance *i)
{
	const Engine *e = i->program->engine;
	char path[PATH_SIZE], text[16];

	path_set(path, "%s/revision", i->home.folder);
	snprintf(text, sizeof(text), "%d\n", e->revision);
	return e->bring_up(i->program, i->home.data, revision_of(i)) && file_replace(path, text);
}

/* All of it done again, if it was not to its end. */
static int bring_up(void *arg)
{
	const Instance *i = arg;

	if (i->home.user && !tenant_take_back(i->home.folder))
		return 1;
	return bring_data_up(i) && give_to_tenant(i, i->home.folder) ? 0 : 1;
}

void folder_bring_up(Instance *i)
{
	run(i, bring_up);
}

/* ---- removing ---------------------------------------------------------- */

static int destroy(void *arg)
{
	Instance *i = arg;

	if (*i->group)
		cgroup_remove_when_empty(&i->driver->cgroups, i->group);
	if (i->home.user)
		tenant_end_all(i->home.user);
	if (!folder_remove(i->partial) || !folder_remove(i->home.sockets))
		return 1;
	tenant_release(&i->driver->tenants, i->id);
	return 0;
}

void folder_destroy(Instance *i)
{
	set_partial(i, i->partial, MARK_GOING);
	rename(i->home.folder, i->partial);
	run(i, destroy);
}

/* ---- measuring --------------------------------------------------------- */

static int measure(void *arg)
{
	const Instance *i = arg;
	int64_t bytes = folder_bytes(i->home.folder);

	printf("%" PRId64 "\n", bytes);
	return fflush(stdout) == 0 && bytes >= 0 ? 0 : 1;
}

static void on_measured(void *arg, int status)
{
	Instance *i = arg;
	char text[32];

	process_free(i->measuring);
	i->measuring = NULL;
	file_read(i->measured, 0, text, sizeof(text));
	unlink(i->measured);
	i->on_measured(i->arg, status == 0 && *text ? strtoll(text, NULL, 10) : -1);
}

void folder_measure(Instance *i, DriverMeasured on_answer)
{
	Fault why;

	assert(!i->measuring);
	i->on_measured = on_answer;
	set_partial(i, i->measured, MARK_MAKING);
	i->measuring = process_job(i->driver->loop, measure, i->measured, on_measured, i, &why);
	if (!i->measuring)
		timer_arm(&i->not_measured, 0);
}

/* Answers come later, that there is none too. */
void folder_not_measured(void *arg)
{
	Instance *i = arg;

	i->on_measured(i->arg, -1);
}

/* ---- what earlier lives left ------------------------------------------- */

static int sweep(void *arg)
{
	ProcessDriver *d = arg;
	char folder[PATH_SIZE];

	path_set(folder, "%s/%s", d->data_dir, d->program.engine->name);
	folder_sweep(folder, MARK_MAKING);
	folder_sweep(folder, MARK_GOING);
	path_set(folder, "%s/template", d->data_dir);
	folder_sweep(folder, MARK_MAKING);
	spares_sweep(&d->spares);
	cgroups_sweep(&d->cgroups);
	return 0;
}

static void on_swept(void *arg, int status)
{
	ProcessDriver *d = arg;

	(void)status;
	process_free(d->sweeper);
	d->sweeper = NULL;
	if (!template_is_there(&d->template))
		template_make(&d->template, NULL);
	spares_soon(&d->spares);
}

void folder_sweep_all(ProcessDriver *d)
{
	Fault why;

	d->sweeper = process_job(d->loop, sweep, NULL, on_swept, d, &why);
	if (!d->sweeper)
		log_warning("could not remove what was left over: error=\"%s\"", why.detail);
}
