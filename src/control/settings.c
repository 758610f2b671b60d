#include "settings.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "settings_lists.h"
#include "sys/clock.h"

#define DEFAULT_MAX_CONNECTIONS 100
#define DEFAULT_SIZE            250
#define DEFAULT_QUOTA_SOFT      80
#define LEAST_SIZE              0.001 /* as it is kept */
#define MOST_CPU                1024
#define LEAST_MEMORY            (INT64_C(32) << 20)

typedef enum MemberKind {
	KIND_INT,
	KIND_BOOL,
	KIND_SIZE,
	KIND_TEXT,
	KIND_URL,
	KIND_RESOURCES,
	KIND_NETWORKS,
	KIND_ROLES,
	KIND_APPLICATIONS,
	KIND_EXEMPT_NETWORKS,
	KIND_HOURS,
	KIND_TIMES,
} MemberKind;

typedef struct Member {
	SettingsOf of;
	const char *name;
	MemberKind kind;
	int64_t least, most;
	const char *wanted;
} Member;

static const Member members[] = {
#define MEMBER(of, name, kind, least, most, wanted, doc) \
	{SETTINGS_OF_##of, #name, KIND_##kind, least, most, wanted},
#include "settings.def"
#undef MEMBER
};

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

/* ---- amounts ----------------------------------------------------------- */

int settings_cpu(const json_t *value)
{
	const char *text = json_string_value(value);
	double cpu = json_number_value(value);
	char *end = NULL;

	if (text) {
		cpu = strtod(text, &end);
		if (end == text || (*end && strcmp(end, "m") != 0))
			return -1;
		cpu = *end ? cpu / 1000 : cpu;
	} else if (!json_is_number(value)) {
		return -1;
	}
	return cpu > 0 && cpu <= MOST_CPU ? (int)(cpu * 1000 + 0.5) : -1;
}

static int64_t unit_of(const char *suffix)
{
	static const struct {
		const char *suffix;
		int64_t bytes;
	} units[] = {
		{"", 1},         {"k", 1000},     {"kB", 1 << 10}, {"Ki", 1 << 10},
		{"M", 1000000},  {"MB", 1 << 20}, {"Mi", 1 << 20}, {"G", 1000000000},
		{"GB", 1 << 30}, {"Gi", 1 << 30},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].suffix, suffix) == 0)
			return units[i].bytes;
	}
	return 0;
}

int64_t settings_bytes(const json_t *value)
{
	const char *text = json_string_value(value);
	int64_t number = json_integer_value(value), unit;
	char *end;

	if (json_is_integer(value))
		return number > 0 ? number : -1;
	if (!text)
		return -1;
	number = strtoll(text, &end, 10);
	unit = end == text ? 0 : unit_of(end);
	if (number <= 0 || unit == 0 || number > INT64_MAX / unit)
		return -1;
	return number * unit;
}

/* ---- checking ---------------------------------------------------------- */

static bool resources_are_good(const json_t *value)
{
	const char *name;
	json_t *amount;

	if (!json_is_object(value))
		return false;
	json_object_foreach((json_t *)(uintptr_t)value, name, amount)
	{
		if (strcmp(name, "cpu") == 0 && settings_cpu(amount) > 0)
			continue;
		if (strcmp(name, "memory") == 0 && settings_bytes(amount) >= LEAST_MEMORY)
			continue;
		return false;
	}
	return true;
}

static bool is_prefix_length(const char *text, int most)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n <= 3 && !text[n] && (n == 1 || text[0] != '0') && atoi(text) <= most;
}

/* "192.0.2.7", "192.0.2.0/24", "2001:db8::/32" */
static bool is_network(const char *text)
{
	size_t n = strcspn(text, "/");
	bool six = memchr(text, ':', n) != NULL;
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	return text_copy_n(address, sizeof(address), text, n) &&
	       inet_pton(six ? AF_INET6 : AF_INET, address, &binary) == 1 &&
	       (!text[n] || is_prefix_length(text + n + 1, six ? 128 : 32));
}

/* Names the first that is none; what is too long to be one is not repeated. */
static bool check_networks(const char *name, const json_t *list, Fault *why)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		bool fits = text && strlen(text) < INET6_ADDRSTRLEN + sizeof("/128");

		if (!fits)
			return fault_set(why, FAULT_BAD_VALUE,
					 "config.%s[%zu] is no address or network", name, i);
		if (!is_network(text))
			return fault_set(why, FAULT_BAD_VALUE,
					 "config.%s[%zu] is no address or network: \"%s\"", name, i,
					 text);
	}
	return true;
}

/* Nothing but what RFC 3986 lets stand in one. */
static bool is_url(const json_t *value, size_t most)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) > most || strlen(text) != json_string_length(value))
		return false;
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
			return false;
	}
	return (text_starts(text, "https://") && text[8]) ||
	       (text_starts(text, "http://") && text[7]);
}

static bool is_good(const Member *m, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	switch (m->kind) {
	case KIND_INT:
		return json_is_integer(value) && number >= m->least && number <= m->most;
	case KIND_SIZE:
		return json_is_number(value) && json_number_value(value) >= LEAST_SIZE &&
		       json_number_value(value) <= (double)m->most;
	case KIND_BOOL:
		return json_is_boolean(value);
	case KIND_URL:
		return is_url(value, (size_t)m->most);
	case KIND_TEXT:
		return json_is_string(value) && json_string_length(value) <= (size_t)m->most;
	case KIND_RESOURCES:
		return resources_are_good(value);
	case KIND_NETWORKS:
	case KIND_ROLES:
	case KIND_APPLICATIONS:
	case KIND_EXEMPT_NETWORKS:
	case KIND_HOURS:
	case KIND_TIMES:
		return json_is_array(value) && json_array_size(value) <= (size_t)m->most;
	}
	return false;
}

static const Member *find_member(SettingsOf of, const char *name)
{
	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (members[i].of == of && strcmp(members[i].name, name) == 0)
			return &members[i];
	}
	return NULL;
}

/* NULL if the items are not read one by one. */
static ItemReader reader_of(MemberKind kind)
{
	switch (kind) {
	case KIND_ROLES:
		return settings_add_role;
	case KIND_APPLICATIONS:
		return settings_add_application;
	case KIND_EXEMPT_NETWORKS:
		return settings_add_network;
	case KIND_HOURS:
		return settings_add_hours;
	case KIND_TIMES:
		return settings_add_time;
	default:
		return NULL;
	}
}

/* Stops at the first item that is not right. */
static bool read_items(ProjectSettings *s, const Member *m, const json_t *list, Fault *why)
{
	ItemReader read = reader_of(m->kind);
	Fault bad;

	for (size_t i = 0; read && i < json_array_size(list) && i < (size_t)m->most; i++) {
		if (!read(s, json_array_get(list, i), &bad))
			return fault_set(why, FAULT_BAD_VALUE, "config.%s[%zu]: %s", m->name, i,
					 bad.detail);
	}
	return true;
}

static bool check_items(const Member *m, const json_t *value, Fault *why)
{
	ProjectSettings *scratch = NEW(ProjectSettings);
	bool good = read_items(scratch, m, value, why);

	free(scratch);
	return good;
}

static bool check_member(SettingsOf of, const char *name, const json_t *value, Fault *why)
{
	const Member *m = find_member(of, name);

	if (!m)
		return fault_set(why, FAULT_BAD_VALUE, "config.%.100s is not known", name);
	if (!is_good(m, value))
		return fault_set(why, FAULT_BAD_VALUE, "config.%s must be %s", name, m->wanted);
	if (m->kind == KIND_NETWORKS)
		return check_networks(name, value, why);
	return check_items(m, value, why);
}

/* ---- reading ----------------------------------------------------------- */

static int64_t int_or(const json_t *config, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(config, name);

	return value ? json_integer_value(value) : otherwise;
}

/* Seconds, to milliseconds; -1 if nothing is said. */
static int64_t ms_of(const json_t *config, const char *name)
{
	int64_t seconds = int_or(config, name, -1);

	return seconds == -1 ? -1 : seconds * 1000;
}

static bool bool_or(const json_t *config, const char *name, bool otherwise)
{
	const json_t *value = json_object_get(config, name);

	return value ? json_is_true(value) : otherwise;
}

static int size_or(const json_t *config, const char *name, int otherwise)
{
	const json_t *value = json_object_get(config, name);

	return value ? (int)(json_number_value(value) * 1000 + 0.5) : otherwise;
}

static void read_percent(const json_t *config, const char *name, int *out)
{
	*out = (int)int_or(config, name, *out);
}

static void read_seconds(const json_t *config, const char *name, int64_t *out_ms)
{
	*out_ms = int_or(config, name, *out_ms / 1000) * 1000;
}

static ScalePolicy read_scale(const json_t *config)
{
	ScalePolicy p = SCALE_POLICY_DEFAULT;

	p.on = bool_or(config, "autoscale", true);
	read_percent(config, "autoscale_cpu_up", &p.cpu_up);
	read_percent(config, "autoscale_memory_up", &p.memory_up);
	read_percent(config, "autoscale_connections_up", &p.connections_up);
	read_percent(config, "autoscale_cpu_down", &p.cpu_down);
	read_percent(config, "autoscale_memory_down", &p.memory_down);
	read_percent(config, "autoscale_connections_down", &p.connections_down);
	read_seconds(config, "autoscale_up_window", &p.up_window_ms);
	read_seconds(config, "autoscale_down_window", &p.down_window_ms);
	read_seconds(config, "autoscale_up_pause", &p.up_pause_ms);
	read_seconds(config, "autoscale_down_pause", &p.down_pause_ms);
	return p;
}

static QuotaPolicy read_quota(const json_t *config)
{
	QuotaPolicy p = {
		.soft = (int)int_or(config, "quota_soft", DEFAULT_QUOTA_SOFT),
		.period_days = (int)int_or(config, "quota_period_days", 0),
	};

	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		p.limits[kind] = int_or(config, quota_setting((QuotaKind)kind), 0);
	return p;
}

static void read_lists(ProjectSettings *s, const json_t *config)
{
	Fault why;

	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (members[i].of == SETTINGS_OF_PROJECT)
			read_items(s, &members[i], json_object_get(config, members[i].name), &why);
	}
}

static void read_project(ProjectSettings *s, const json_t *config)
{
	*s = (ProjectSettings){
		.idle_timeout_ms = ms_of(config, "idle_timeout"),
		.freeze_after_ms = ms_of(config, "freeze_after"),
		.idle_clients_keep_awake = bool_or(config, "idle_clients_keep_awake", false),
		.listeners_keep_awake = bool_or(config, "listeners_keep_awake", false),
		.replication_keeps_awake = bool_or(config, "replication_keeps_awake", true),
		.dry_run = bool_or(config, "dry_run", false),
		.max_connections = (int)int_or(config, "max_connections", DEFAULT_MAX_CONNECTIONS),
		.min_size = size_or(config, "min_size", DEFAULT_SIZE),
		.scale = read_scale(config),
		.quota = read_quota(config),
		.connect_rate = (int)int_or(config, "connect_rate", 0),
		.connect_burst = (int)int_or(config, "connect_burst", 0),
	};
	s->max_size = size_or(config, "max_size", s->min_size);
	s->has_max_size = json_object_get(config, "max_size") != NULL;
	if (s->connect_burst == 0)
		s->connect_burst = s->connect_rate;
	read_lists(s, config);
	if (json_object_get(config, "webhook_url"))
		text_copy(s->webhook_url, sizeof(s->webhook_url),
			  json_string_value(json_object_get(config, "webhook_url")));
}

ProjectSettings settings_of_project(const char *config)
{
	json_t *json = json_loads(config, 0, NULL);
	ProjectSettings s;

	read_project(&s, json);
	json_decref(json);
	return s;
}

/* ---- what must fit together -------------------------------------------- */

static bool check_zone(const char *member, const char *zone, Fault *why)
{
	return clock_zone_exists(zone) ||
	       fault_set(why, FAULT_BAD_VALUE,
			 "config.%s: this machine knows no time zone \"%s\"; write one as "
			 "\"Europe/Berlin\" or \"UTC\"",
			 member, zone);
}

static bool check_zones(const ProjectSettings *s, Fault *why)
{
	bool good = true;

	for (int i = 0; good && i < s->n_keep_warm; i++)
		good = check_zone("keep_warm", s->keep_warm[i].zone, why);
	for (int i = 0; good && i < s->n_wake_at; i++)
		good = check_zone("wake_at", s->wake_at[i].zone, why);
	return good;
}

/* Where they meet, one sample could make it grow and shrink in turns for ever. */
static bool check_marks(const char *what, int down, int up, Fault *why)
{
	return down < up || fault_set(why, FAULT_BAD_VALUE,
				      "config.autoscale_%s_down must be less than "
				      "autoscale_%s_up, which is %d",
				      what, what, up);
}

static bool check_project(const ProjectSettings *s, Fault *why)
{
	const ScalePolicy *p = &s->scale;

	if (s->max_size < s->min_size)
		return fault_set(why, FAULT_BAD_VALUE,
				 "config.max_size must not be less than min_size, which is %g",
				 s->min_size / 1000.0);
	return check_marks("cpu", p->cpu_down, p->cpu_up, why) &&
	       check_marks("memory", p->memory_down, p->memory_up, why) &&
	       check_marks("connections", p->connections_down, p->connections_up, why) &&
	       check_zones(s, why);
}

bool settings_check(SettingsOf of, const json_t *config, Fault *why)
{
	ProjectSettings s;
	const char *name;
	json_t *value;

	if (!json_is_object(config))
		return fault_set(why, FAULT_BAD_VALUE, "config must be an object");
	json_object_foreach((json_t *)(uintptr_t)config, name, value)
	{
		if (!check_member(of, name, value, why))
			return false;
	}
	if (of != SETTINGS_OF_PROJECT)
		return true;
	read_project(&s, config);
	return check_project(&s, why);
}

json_t *settings_merge(const char *config, const json_t *changes)
{
	json_t *merged = json_loads(config, 0, NULL), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)changes, name, value)
	{
		if (json_is_null(value))
			json_object_del(merged, name);
		else
			json_object_set(merged, name, value);
	}
	return merged;
}

/* ---- the rest of it ----------------------------------------------------- */

json_t *settings_allowed_ips(const char *config)
{
	json_t *json = json_loads(config, 0, NULL), *list = json_object_get(json, "allowed_ips");

	list = list ? json_incref(list) : json_array();
	json_decref(json);
	return list;
}

ComputeSettings settings_of_compute(const char *config)
{
	json_t *json = json_loads(config, 0, NULL);
	const json_t *resources = json_object_get(json, "resources");
	const json_t *cpu = json_object_get(resources, "cpu");
	const json_t *memory = json_object_get(resources, "memory");
	ComputeSettings s = {
		.cpu = cpu ? settings_cpu(cpu) : 0,
		.memory = memory ? settings_bytes(memory) : 0,
	};

	json_decref(json);
	return s;
}
