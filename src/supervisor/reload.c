/*
 * Taking over a changed configuration, everywhere or nowhere.
 *
 * The supervisor reads the file once and parses it.  If it is good, its text is
 * published in shared memory and the children are told; they parse the same
 * bytes, so they cannot come to another result.
 */
#include <signal.h>
#include <stdlib.h>

#include "control/control.h"
#include "proxy/proxy.h"
#include "supervisor.h"
#include "sys/file.h"
#include "sys/log.h"

static void say_needs_restart(const char *name)
{
	log_warning("a changed setting needs a restart, keeping the old value: setting=%s", name);
}

static void say_nothing(const char *name)
{
	(void)name;
}

static const Config *parse(const Supervisor *s, const char *text, void (*changed)(const char *name),
			   Fault *why)
{
	const SupervisorSetup *setup = s->setup;
	const Config *next =
		conf_parse(setup->file, text, setup->overrides, setup->n_overrides, why);

	if (next)
		conf_keep_restart_only((Config *)(uintptr_t)next, s->conf, changed);
	return next;
}

const Config *reread(void *arg)
{
	const Supervisor *s = arg;
	char *text = shared_get_conf(s->shared);
	Fault why;
	const Config *next = parse(s, text, say_nothing, &why);

	free(text);
	return next;
}

/* Who could not start may be able to now. */
static void tell(Child *c)
{
	if (c->pid > 0)
		kill(c->pid, SIGHUP);
	c->pause_ms = c->again_ms = 0;
}

static void publish(Supervisor *s, const char *text, const Config *next)
{
	uint32_t clients = (uint32_t)next->reveille.max_client_conn;

	if (clients > (uint32_t)s->shared->n_slots) {
		log_warning(
			"max_client_conn was lower at the start, using that: max_client_conn=%d",
			s->shared->n_slots);
		clients = (uint32_t)s->shared->n_slots;
	}
	atomic_store(&s->shared->max_clients, clients);
	shared_put_conf(s->shared, text, strlen(text));
	conf_release(s->conf);
	s->conf = next;
	log_set(conf_is(&next->reveille.log_format, "json"), next->reveille.verbose);
	for (int i = 0; i < s->n_children; i++)
		tell(&s->children[i]);
	log_info("reloaded: file=\"%s\"", s->setup->file);
}

void reload(Supervisor *s)
{
	const Config *next = NULL;
	Access *access = NULL;
	char *text;
	Fault why;

	if (!*s->setup->file) {
		log_warning("there is no configuration file to reload");
		return;
	}
	text = file_text(s->setup->file, CONF_TEXT_MAX, &why);
	if (text)
		next = parse(s, text, say_needs_restart, &why);
	if (next && control_check(next, &why))
		access = access_load(next, s->shared, &why);
	if (access) {
		access_release(s->access);
		s->access = access;
		publish(s, text, next);
	} else {
		log_error("%s; nothing has changed", why.detail);
		if (next)
			conf_release(next);
	}
	free(text);
}
