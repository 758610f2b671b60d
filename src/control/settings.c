#include "settings.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define DEFAULT_MAX_CONNECTIONS 100
#define DEFAULT_SIZE            250
#define MOST_CPU                1024
#define LEAST_MEMORY            (INT64_C(32) << 20)

typedef enum MemberKind {
	KIND_INT,
	KIND_SIZE,
	KIND_TEXT,
	KIND_RESOURCES,
	KIND_NETWORKS,
	KIND_LATER,
} MemberKind;

typedef struct Member {
	SettingsOf of;
	const char *name;
	MemberKind kind;
	int64_t least, most;
	const char *wanted;
} Member;

static const Member members[] = {
#define MEMBER(of, name, kind, least, most, wanted) \
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

static bool is_good(const Member *m, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	switch (m->kind) {
	case KIND_INT:
	case KIND_LATER:
		return json_is_integer(value) && number >= m->least && number <= m->most;
	case KIND_SIZE:
		return json_is_number(value) && json_number_value(value) > (double)m->least &&
		       json_number_value(value) <= (double)m->most;
	case KIND_TEXT:
		return json_is_string(value) && json_string_length(value) <= (size_t)m->most;
	case KIND_RESOURCES:
		return resources_are_good(value);
	case KIND_NETWORKS:
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

bool settings_check(SettingsOf of, const json_t *config, Fault *why)
{
	const char *name;
	json_t *value;

	if (!json_is_object(config))
		return fault_set(why, FAULT_BAD_VALUE, "config must be an object");
	json_object_foreach((json_t *)(uintptr_t)config, name, value)
	{
		const Member *m = find_member(of, name);

		if (!m)
			return fault_set(why, FAULT_BAD_VALUE, "config.%.100s is not known", name);
		if (!is_good(m, value))
			return fault_set(why, FAULT_BAD_VALUE, "config.%s must be %s", name,
					 m->wanted);
		if (m->kind == KIND_NETWORKS && !check_networks(name, value, why))
			return false;
	}
	return true;
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

/* ---- reading ----------------------------------------------------------- */

static int64_t int_or(const json_t *config, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(config, name);

	return value ? json_integer_value(value) : otherwise;
}

static int size_or(const json_t *config, const char *name, int otherwise)
{
	const json_t *value = json_object_get(config, name);

	return value ? (int)(json_number_value(value) * 1000 + 0.5) : otherwise;
}

ProjectSettings settings_of_project(const char *config)
{
	json_t *json = json_loads(config, 0, NULL);
	int64_t idle = int_or(json, "idle_timeout", -1);
	ProjectSettings s = {
		.idle_timeout_ms = idle == -1 ? -1 : idle * 1000,
		.max_connections = (int)int_or(json, "max_connections", DEFAULT_MAX_CONNECTIONS),
		.min_size = size_or(json, "min_size", DEFAULT_SIZE),
		.connect_rate = (int)int_or(json, "connect_rate", 0),
		.connect_burst = (int)int_or(json, "connect_burst", 0),
	};

	s.max_size = size_or(json, "max_size", s.min_size);
	if (s.connect_burst == 0)
		s.connect_burst = s.connect_rate;
	json_decref(json);
	return s;
}

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
