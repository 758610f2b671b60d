/*
 * The process driver: computes are servers on this machine.
 *
 * Servers belong to nobody while we are away: each runs in a session of its own
 * and is found again through its data folder.
 */
#include "process.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "fence.h"
#include "sys/log.h"

/* What the name of a socket has to have room for. */
#define LARGEST_GENERATION INT64_C(9999999999)

/* ---- tasks ------------------------------------------------------------- */

void task_begin(Instance *i, Task task, DriverAnswer on_answer)
{
	assert(i->task == TASK_NONE);
	i->task = task;
	i->on_answer = on_answer;
	i->failure[0] = 0;
}

void task_end(Instance *i, const char *failure)
{
	text_copy(i->failure, sizeof(i->failure), failure);
	timer_arm(&i->answer, 0);
}

static Sight sight_of(const Instance *i)
{
	Sight s = {.there = i->server, .running = i->server && i->ready, .frozen = i->frozen};

	if (!s.running)
		return s;
	snprintf(s.incarnation, sizeof(s.incarnation), "%d-%llu-%s", (int)process_pid(i->server),
		 (unsigned long long)process_start(i->server), i->driver->boot_id);
	text_copy(s.address, sizeof(s.address), i->home.address);
	return s;
}

static void on_answer_time(void *arg)
{
	Instance *i = arg;
	Sight sight = sight_of(i);

	/* It was ready, and died before anybody heard of it. */
	if (i->task == TASK_START && !sight.running && !*i->failure)
		text_copy(i->failure, sizeof(i->failure),
			  "the server ended as soon as it was ready");
	i->task = TASK_NONE;
	spares_soon(&i->driver->spares);
	i->on_answer(i->arg, &sight, *i->failure ? i->failure : NULL);
}

/* ---- the driver's operations ------------------------------------------- */

/* Begins a task, unless somebody with a higher generation was here. */
static bool begin(Instance *i, Task task, int64_t generation, DriverAnswer on_answer)
{
	char failure[REASON_SIZE];

	task_begin(i, task, on_answer);
	if (fence_pass(i->home.folder, generation, failure, sizeof(failure)))
		return true;
	task_end(i, failure);
	return false;
}

static void take_order(Instance *i, const ServerOrder *order)
{
	i->order = *order;
	i->order.slot_wal = i->driver->slot_wal;
	if (order->memory == 0)
		i->order.memory = i->driver->memory_per_unit * order->size / 1000;
}

static void op_create(Instance *i, const ServerOrder *order, DriverAnswer on_answer)
{
	task_begin(i, TASK_CREATE, on_answer);
	take_order(i, order);
	folder_create(i);
}

static void op_start(Instance *i, const ServerOrder *order, DriverAnswer on_answer)
{
	if (!begin(i, TASK_START, order->generation, on_answer))
		return;
	take_order(i, order);
	server_start(i);
}

static void op_stop(Instance *i, StopHow how, int64_t generation, DriverAnswer on_answer)
{
	const Engine *e = i->program->engine;

	if (begin(i, TASK_STOP, generation, on_answer))
		server_stop(i, how == STOP_IMMEDIATE ? e->kill_signal : e->stop_signal);
}

static void op_freeze(Instance *i, int64_t generation, DriverAnswer on_answer)
{
	if (begin(i, TASK_FREEZE, generation, on_answer))
		server_freeze(i);
}

static void op_thaw(Instance *i, int64_t generation, DriverAnswer on_answer)
{
	if (begin(i, TASK_THAW, generation, on_answer))
		server_thaw(i);
}

static void op_resize(Instance *i, const ServerOrder *order, DriverAnswer on_answer)
{
	if (!begin(i, TASK_RESIZE, order->generation, on_answer))
		return;
	take_order(i, order);
	server_resize(i);
}

static void op_observe(Instance *i, DriverAnswer on_answer)
{
	ServerPhase phase;

	task_begin(i, TASK_OBSERVE, on_answer);
	server_look(i, &phase);
	i->frozen = freeze_is_done(i);
	task_end(i, "");
}

static void op_destroy(Instance *i, int64_t generation, DriverAnswer on_answer)
{
	ServerPhase phase;

	if (!begin(i, TASK_DESTROY, generation, on_answer))
		return;
	if (server_look(i, &phase))
		server_kill(i);
	else
		folder_destroy(i);
}

/* ---- instances --------------------------------------------------------- */

static void set_home(Home *h, const ProcessDriver *d, const char *id)
{
	home_set(h, d->engine_dir, d->socket_dir, id);
}

static bool op_admits(Driver *driver, const char *id, const char *engine, Fault *why)
{
	ProcessDriver *d = (ProcessDriver *)driver;
	Home home;

	if (strcmp(engine, d->program.engine->name) != 0)
		return fault_set(why, FAULT_BAD_VALUE, "engine must be \"%s\"",
				 d->program.engine->name);
	set_home(&home, d, id);
	home_begin_life(&home, LARGEST_GENERATION, d->program.engine->socket);
	if (strlen(home.address) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return fault_set(why, FAULT_BAD_VALUE,
				 "name is too long: with process.socket_dir before it, the socket "
				 "could not be opened");
	return true;
}

static Instance *op_attach(Driver *driver, const char *id, const char *engine, DriverEnd on_end,
			   void *arg)
{
	ProcessDriver *d = (ProcessDriver *)driver;
	Instance *i = NEW(Instance);

	assert(strcmp(engine, d->program.engine->name) == 0);
	i->driver = d;
	i->program = &d->program;
	text_copy(i->id, sizeof(i->id), id);
	set_home(&i->home, d, id);
	path_set(i->job_log, "%s.log", i->home.folder);
	i->on_end = on_end;
	i->arg = arg;
	timer_init(&i->answer, d->loop, on_answer_time, i);
	i->freezing_fd = -1;
	timer_init(&i->look_again, d->loop, freeze_look_again, i);
	timer_init(&i->tidy, d->loop, server_on_tidy, i);
	timer_init(&i->not_measured, d->loop, folder_not_measured, i);
	timer_init(&i->deadline, d->loop, server_on_deadline, i);
	LIST_INSERT_HEAD(&d->instances, i, link);
	return i;
}

static void op_detach(Instance *i)
{
	assert(i->task == TASK_NONE);
	LIST_REMOVE(i, link);
	if (i->server)
		process_free(i->server);
	if (i->measuring)
		process_free(i->measuring);
	timer_stop(&i->not_measured);
	timer_stop(&i->tidy);
	loop_bury(i->driver->loop, i, free);
}

static bool op_lives(const Instance *i)
{
	return i->server && process_lives(i->server);
}

static const DriverOps ops = {
	.admits = op_admits,
	.attach = op_attach,
	.detach = op_detach,
	.create = op_create,
	.start = op_start,
	.stop = op_stop,
	.freeze = op_freeze,
	.thaw = op_thaw,
	.observe = op_observe,
	.destroy = op_destroy,
	.resize = op_resize,
	.stat = server_stat,
	.measure = folder_measure,
	.close_door = server_close_door,
	.look = server_crowd,
	.lives = op_lives,
};

/* ---- opening ----------------------------------------------------------- */

/* The servers' working folders are compared with ours, so ours are without links. */
static bool make_real(char out[PATH_SIZE], const char *path, Fault *why)
{
	char *real;

	if (!folder_make(path) || !(real = realpath(path, NULL)))
		return fault_set(why, FAULT_BAD_SETTING, "could not make the folder \"%s\": %s",
				 path, strerror(errno));
	path_set(out, "%s", real);
	free(real);
	return true;
}

static bool make_folders(ProcessDriver *d, const Config *conf, Fault *why)
{
	const char *socket_dir = conf->process.socket_dir.s;
	char path[PATH_SIZE], made[PATH_SIZE];

	if (!make_real(d->data_dir, conf->process.data_dir.s, why))
		return false;
	path_set(path, "%s/%s", d->data_dir, d->program.engine->name);
	if (!make_real(d->engine_dir, path, why))
		return false;
	path_set(path, "%s/template", d->data_dir);
	if (!make_real(made, path, why))
		return false;
	path_set(path, "%s/spare", d->data_dir);
	if (!make_real(made, path, why))
		return false;
	path_set(path, "%s/run", d->data_dir);
	return make_real(d->socket_dir, *socket_dir ? socket_dir : path, why);
}

static const char *word(bool yes)
{
	return yes ? "yes" : "no";
}

/* What an admin has named himself is to be of use, or he hears what it is no use for. */
static void warn_of_parent(const Cgroups *c, const char *parent)
{
	bool named = strcmp(parent, "auto") != 0 && strcmp(parent, "off") != 0;

	if (!named || (c->freeze && c->cpu && c->memory))
		return;
	log_warning("process.cgroup_parent is no use for all of it, as it has to be there in each "
		    "hierarchy with leave to make groups in it: cgroup_parent=\"%s\" freeze=%s "
		    "cpu=%s memory=%s",
		    parent, word(c->freeze), word(c->cpu), word(c->memory));
}

/* Groups of several control planes may stand side by side. */
static void open_cgroups(ProcessDriver *d, const Config *conf)
{
	DriverAbilities *can = &d->driver.can;
	struct stat st = {0};
	char name[64];

	stat(d->data_dir, &st);
	snprintf(name, sizeof(name), "reveille-%jx-%jx", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	cgroups_open(&d->cgroups, conf->process.cgroup_parent.s, name);
	warn_of_parent(&d->cgroups, conf->process.cgroup_parent.s);
	can->freeze = true; /* by signals, if not by groups */
	can->limit_cpu = d->cgroups.cpu;
	can->limit_memory = d->cgroups.memory;
	cgroups_describe(&d->cgroups, can->how, sizeof(can->how));
}

static void open_tenants(ProcessDriver *d, const Config *conf)
{
	DriverAbilities *can = &d->driver.can;
	size_t n = strlen(can->how);
	char how[256];

	tenants_open(&d->tenants, d->data_dir, (uid_t)conf->first_user, (uid_t)conf->last_user, how,
		     sizeof(how));
	can->own_users =
		d->tenants.on && chmod(d->engine_dir, 0711) == 0 && chmod(d->socket_dir, 0711) == 0;
	snprintf(can->how + n, sizeof(can->how) - n, "; users: %s", how);
}

Driver *driver_process_open(Loop *loop, const Config *conf, Fault *why)
{
	ProcessDriver *d = NEW(ProcessDriver);
	char templates[PATH_SIZE], spares[PATH_SIZE], mark[LIFE_SIZE + sizeof(MARK_MAKING)];

	d->driver.ops = &ops;
	d->loop = loop;
	machine_boot_id(d->boot_id);
	life_name(d->life);
	if (!engine_postgres.locate(conf->process.postgres_bin_dir.s, &d->program, why) ||
	    !make_folders(d, conf, why)) {
		free(d);
		return NULL;
	}
	d->memory_per_unit = conf->process.memory_per_unit;
	d->slot_wal = conf->process.max_slot_wal_keep_size;
	open_cgroups(d, conf);
	open_tenants(d, conf);
	log_info("what can be done to servers here: %s", d->driver.can.how);
	path_set(templates, "%s/template", d->data_dir);
	snprintf(mark, sizeof(mark), MARK_MAKING "%s", d->life);
	template_init(&d->template, loop, &d->program, templates, mark);
	path_set(spares, "%s/spare", d->data_dir);
	spares_init(&d->spares, &d->template, conf->process.spares, spares, mark);
	folder_sweep_all(d);
	LIST_INIT(&d->instances);
	logs_init(d);
	return &d->driver;
}
