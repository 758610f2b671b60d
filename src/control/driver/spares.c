#include "spares.h"

#include <dirent.h>
#include <linux/ioprio.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/log.h"
#include "sys/random.h"

#define QUIET_MS   500
#define LEAST_NICE 19
#define TAIL_SIZE  600

/* Calls back for each until it has had enough; returns whether it had. */
static bool each(const Spares *s, bool (*visit)(const char *path, void *arg), void *arg)
{
	DIR *dir = opendir(s->parent);
	const struct dirent *e;
	char path[PATH_SIZE];
	size_t n = strlen(s->name);
	bool enough = false;

	while (!enough && dir && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, s->name, n) != 0 || e->d_name[n] != '-' ||
		    strchr(e->d_name + n + 1, '.'))
			continue;
		path_set(path, "%s/%s", s->parent, e->d_name);
		enough = visit(path, arg);
	}
	if (dir)
		closedir(dir);
	return enough;
}

/* ---- taking one --------------------------------------------------------- */

static bool take(const char *path, void *folder)
{
	return rename(path, folder) == 0;
}

bool spares_take(const Spares *s, const char *folder)
{
	return each(s, take, (void *)folder);
}

/* ---- making them -------------------------------------------------------- */

bool spares_make(const Template *template, const char *folder)
{
	char data[PATH_SIZE], revision[PATH_SIZE], text[16];

	path_set(data, "%s/data", folder);
	path_set(revision, "%s/revision", folder);
	snprintf(text, sizeof(text), "%d\n", template->program->engine->revision);
	return folder_make(folder) && folder_copy(template->folder, data) &&
	       file_write(revision, text);
}

static void give_way(void)
{
	setpriority(PRIO_PROCESS, 0, LEAST_NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

static int make(void *arg)
{
	const Spares *s = arg;
	char random[9], path[PATH_SIZE];

	give_way();
	random_hex(random, 4);
	path_set(path, "%s/%s-%s", s->parent, s->name, random);
	if (!spares_make(s->template, s->partial)) {
		folder_remove(s->partial);
		return 1;
	}
	folder_sync(s->partial);
	return rename(s->partial, path) == 0 ? 0 : 1;
}

static void on_made(void *arg, int status)
{
	Spares *s = arg;
	char tail[TAIL_SIZE];

	process_free(s->job);
	s->job = NULL;
	if (status == 0) {
		unlink(s->log);
		spares_soon(s);
		return;
	}
	file_tail(s->log, 0, tail, sizeof(tail));
	log_warning("could not make a spare copy of the template: error=\"%s\"", tail);
}

static bool count(const char *path, void *arg)
{
	int *n = arg;

	(void)path;
	++*n;
	return false;
}

static void on_quiet(void *arg)
{
	Spares *s = arg;
	char random[9];
	int n = 0;
	Fault why;

	each(s, count, &n);
	if (s->job || n >= s->wanted || !template_is_there(s->template))
		return;
	random_hex(random, 4);
	path_set(s->partial, "%s/%s%s-%s", s->parent, s->name, s->mark, random);
	path_set(s->log, "%s.log", s->partial);
	s->job = process_job(s->loop, make, s->log, on_made, s, &why);
	if (!s->job)
		log_warning("could not make a spare copy of the template: error=\"%s\"",
			    why.detail);
}

void spares_soon(Spares *s)
{
	if (s->wanted > 0)
		timer_arm(&s->quiet, QUIET_MS);
}

/* ---- the others --------------------------------------------------------- */

void spares_sweep(const Spares *s)
{
	DIR *dir = opendir(s->parent);
	const struct dirent *e;
	char path[PATH_SIZE];

	while (dir && (e = readdir(dir)) != NULL) {
		if (*e->d_name == '.' || text_starts(e->d_name, s->name))
			continue;
		path_set(path, "%s/%s", s->parent, e->d_name);
		folder_remove(path);
	}
	if (dir)
		closedir(dir);
	folder_sweep(s->parent, MARK_MAKING);
}

void spares_init(Spares *s, const Template *template, int wanted, const char *parent,
		 const char *mark)
{
	const char *name = strrchr(template->folder, '/') + 1;

	*s = (Spares){.loop = template->loop, .template = template, .wanted = wanted};
	path_set(s->parent, "%s", parent);
	text_copy(s->name, sizeof(s->name), name);
	text_copy(s->mark, sizeof(s->mark), mark);
	timer_init(&s->quiet, s->loop, on_quiet, s);
}
