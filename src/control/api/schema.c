#include "schema.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../record.h"
#include "../settings.h"
#include "base/text.h"

typedef enum Need { MAY, MUST } Need;

typedef struct Field {
	const char *schema, *name, *type;
	Need need;
	const char *doc;
} Field;

#define SCHEMA(name, doc)
#define PARAMETER(name, type, doc)
#define FIELD(schema, name, type, need, doc) {#schema, #name, type, need, doc},
static const Field fields[] = {
#include "schemas.def"
};
#undef FIELD
#undef SCHEMA

#define FIELD(...)
#define SCHEMA(name, doc) {#name, doc},
static const struct {
	const char *name, *doc;
} schemas[] = {
#include "schemas.def"
};
#undef SCHEMA
#undef PARAMETER

#define SCHEMA(...)
#define PARAMETER(name, type, doc) {#name, type, doc},
static const struct {
	const char *name, *type, *doc;
} parameters[] = {
#include "schemas.def"
};
#undef PARAMETER
#undef FIELD
#undef SCHEMA

#define MEMBER(of, name, kind, least, most, wanted, doc) \
	{SETTINGS_OF_##of, #name, #kind, least, most, doc ": " wanted},
static const struct Member {
	SettingsOf of;
	const char *name, *kind;
	int64_t least, most;
	const char *doc;
} members[] = {
#include "../settings.def"
};
#undef MEMBER

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- types ------------------------------------------------------------- */

/* The words that stand for a type of their own. */
static const struct {
	const char *word, *type, *keyword, *value;
} types[] = {
	{"text", "string", NULL, NULL},
	{"id", "string", "format", "hostname"},
	{"time", "string", "format", "date-time"},
	{"int", "integer", NULL, NULL},
	{"number", "number", NULL, NULL},
	{"bool", "boolean", NULL, NULL},
	{"object", "object", NULL, NULL},
};

static json_t *schema_of_words(const char *words)
{
	json_t *list = json_array();

	for (const char *at = words; *at; at += strspn(at, "|")) {
		size_t n = strcspn(at, "|");

		json_array_append_new(list, json_stringn(at, n));
		at += n;
	}
	return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *reference_to(const char *schema)
{
	char where[160];

	snprintf(where, sizeof(where), "#/components/schemas/%s", schema);
	return json_pack("{s:s}", "$ref", where);
}

/* A word of the table, a schema (which begins with a capital), or words that may stand. */
static json_t *schema_of_word(const char *word)
{
	for (size_t i = 0; i < N_OF(types); i++) {
		if (strcmp(types[i].word, word) != 0)
			continue;
		if (!types[i].keyword)
			return json_pack("{s:s}", "type", types[i].type);
		return json_pack("{s:s, s:s}", "type", types[i].type, types[i].keyword,
				 types[i].value);
	}
	return *word >= 'A' && *word <= 'Z' ? reference_to(word) : schema_of_words(word);
}

static json_t *or_null(json_t *schema)
{
	return json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
}

json_t *schema_of_type(const char *type)
{
	char word[120];
	size_t n = strlen(type);
	bool nullable = n > 0 && type[n - 1] == '?', list = *type == '[';
	json_t *schema;

	n -= nullable ? 1 : 0;
	text_copy_n(word, sizeof(word), type + (list ? 1 : 0), n - (list ? 2 : 0));
	schema = schema_of_word(word);
	if (list)
		schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
	return nullable ? or_null(schema) : schema;
}

json_t *schema_of_parameter(const char *name, bool required)
{
	for (size_t i = 0; i < N_OF(parameters); i++) {
		if (strcmp(parameters[i].name, name) == 0)
			return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", name, "in", "query",
					 "required", required, "description", parameters[i].doc,
					 "schema", schema_of_type(parameters[i].type));
	}
	return NULL;
}

/* ---- objects ----------------------------------------------------------- */

static json_t *with_doc(json_t *schema, const char *doc)
{
	json_object_set_new(schema, "description", json_string(doc));
	return schema;
}

static json_t *object_schema(json_t *properties, json_t *required, bool closed)
{
	json_t *schema = json_pack("{s:s, s:o}", "type", "object", "properties", properties);

	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	if (closed)
		json_object_set_new(schema, "additionalProperties", json_false());
	return schema;
}

static json_t *schema_of_fields(const char *name, bool closed)
{
	json_t *properties = json_object(), *required = json_array();

	for (size_t i = 0; i < N_OF(fields); i++) {
		const Field *f = &fields[i];

		if (strcmp(f->schema, name) != 0)
			continue;
		json_object_set_new(properties, f->name, with_doc(schema_of_type(f->type), f->doc));
		if (f->need == MUST)
			json_array_append_new(required, json_string(f->name));
	}
	return object_schema(properties, required, closed);
}

/* What settings.def's kinds are in JSON. */
static const struct Kind {
	const char *kind, *type, *items, *least, *most; /* items: of a list */
} kinds[] = {
	{"INT", "integer", NULL, "minimum", "maximum"},
	{"BOOL", "boolean", NULL, NULL, NULL},
	{"SIZE", "number", NULL, "exclusiveMinimum", "maximum"},
	{"TEXT", "string", NULL, NULL, "maxLength"},
	{"URL", "string", NULL, NULL, "maxLength"},
	{"RESOURCES", "object", NULL, NULL, NULL},
	{"NETWORKS", "array", "string", NULL, "maxItems"},
	{"ROLES", "array", "string", NULL, "maxItems"},
	{"APPLICATIONS", "array", "string", NULL, "maxItems"},
	{"EXEMPT_NETWORKS", "array", "string", NULL, "maxItems"},
	{"HOURS", "array", "object", NULL, "maxItems"},
	{"TIMES", "array", "string", NULL, "maxItems"},
};

static const struct Kind *kind_of(const struct Member *m)
{
	for (size_t i = 0; i < N_OF(kinds); i++) {
		if (strcmp(kinds[i].kind, m->kind) == 0)
			return &kinds[i];
	}
	return NULL;
}

static json_t *schema_of_member(const struct Member *m)
{
	const struct Kind *kind = kind_of(m);
	json_t *schema;

	assert(kind);
	schema = json_pack("{s:s}", "type", kind->type);
	if (kind->items)
		json_object_set_new(schema, "items", json_pack("{s:s}", "type", kind->items));
	if (kind->least)
		json_object_set_new(schema, kind->least, json_integer(m->least));
	if (kind->most)
		json_object_set_new(schema, kind->most, json_integer(m->most));
	return schema;
}

/* Null takes a setting away, so it may stand in a change. */
static json_t *schema_of_config(SettingsOf of, bool change)
{
	json_t *properties = json_object();

	for (size_t i = 0; i < N_OF(members); i++) {
		json_t *schema;

		if (members[i].of != of)
			continue;
		schema = schema_of_member(&members[i]);
		json_object_set_new(properties, members[i].name,
				    with_doc(change ? or_null(schema) : schema, members[i].doc));
	}
	return object_schema(properties, json_array(), true);
}

static json_t *schema_of_states(void)
{
	json_t *words = json_array();

	for (int state = 0; state < COMPUTE_STATES; state++)
		json_array_append_new(words, json_string(compute_state_word((ComputeState)state)));
	return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

json_t *schemas_make(bool (*closed)(const char *schema))
{
	json_t *all = json_object();

	for (size_t i = 0; i < N_OF(schemas); i++) {
		const char *name = schemas[i].name;

		json_object_set_new(all, name,
				    with_doc(schema_of_fields(name, closed(name)), schemas[i].doc));
	}
	json_object_set_new(all, "ComputeState", schema_of_states());
	json_object_set_new(all, "ProjectConfig", schema_of_config(SETTINGS_OF_PROJECT, false));
	json_object_set_new(all, "ProjectConfigChange",
			    schema_of_config(SETTINGS_OF_PROJECT, true));
	json_object_set_new(all, "ComputeConfig", schema_of_config(SETTINGS_OF_COMPUTE, false));
	json_object_set_new(all, "ComputeConfigChange",
			    schema_of_config(SETTINGS_OF_COMPUTE, true));
	return all;
}

/* ---- judging ----------------------------------------------------------- */

static bool has_field(const char *schema, const char *name)
{
	for (size_t i = 0; i < N_OF(fields); i++) {
		if (strcmp(fields[i].schema, schema) == 0 && strcmp(fields[i].name, name) == 0)
			return true;
	}
	return false;
}

bool schema_knows(const char *schema, const json_t *object, Fault *why)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (*schema && !has_field(schema, name))
			return fault_set(why, FAULT_BAD_VALUE, "%.100s is not known", name);
	}
	return true;
}
