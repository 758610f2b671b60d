#include "ident.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fields.h"

typedef struct Pair {
	char *system_user;
	char *database_user; /* NULL: all */
} Pair;

struct IdentMap {
	char *name;
	Pair *pairs;
	int n;
};

struct IdentMaps {
	IdentMap **at;
	int n;
};

static IdentMap *find(const IdentMaps *maps, const char *name)
{
	for (int i = 0; i < maps->n; i++) {
		if (strcmp(maps->at[i]->name, name) == 0)
			return maps->at[i];
	}
	return NULL;
}

const IdentMap *ident_find(const IdentMaps *maps, const char *name)
{
	return find(maps, name);
}

static IdentMap *find_or_add(IdentMaps *maps, const char *name)
{
	IdentMap *map = find(maps, name);

	if (map)
		return map;
	map = NEW(IdentMap);
	map->name = mem_text(name);
	maps->at = mem_grow(maps->at, sizeof(IdentMap *) * (size_t)(maps->n + 1));
	maps->at[maps->n++] = map;
	return map;
}

static bool check_user(const Word *w, Fault *why)
{
	if (!w->quoted && *w->text == '/')
		return fault_set(why, FAULT_BAD_SETTING,
				 "\"%.80s\": regular expressions are not understood here; write "
				 "the names themselves",
				 w->text);
	if (!w->quoted && *w->text == '+')
		return fault_set(why, FAULT_BAD_SETTING,
				 "\"%.80s\": who is in a role is not known here; write the names "
				 "themselves",
				 w->text);
	return true;
}

static bool take_line(void *arg, Fields *line, Fault *why)
{
	const Word *name, *system_user, *database_user;
	IdentMap *map;

	if (!fields_take_word(line, "map name", &name, why) ||
	    !fields_take_word(line, "system user", &system_user, why) ||
	    !fields_take_word(line, "database user", &database_user, why) ||
	    !check_user(system_user, why) || !check_user(database_user, why))
		return false;
	if (line->n > 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "\"%.80s\" stands behind the database user", line->words->text);
	map = find_or_add(arg, name->text);
	map->pairs = mem_grow(map->pairs, sizeof(Pair) * (size_t)(map->n + 1));
	map->pairs[map->n++] = (Pair){
		mem_text(system_user->text),
		word_is(database_user, "all") ? NULL : mem_text(database_user->text),
	};
	return true;
}

IdentMaps *ident_parse(const char *file, const char *text, Fault *why)
{
	IdentMaps *maps = NEW(IdentMaps);

	if (fields_parse(file, text, take_line, maps, why))
		return maps;
	ident_free(maps);
	return NULL;
}

bool ident_allows(const IdentMap *map, const char *system_user, const char *database_user)
{
	if (!map)
		return strcmp(system_user, database_user) == 0;
	for (int i = 0; i < map->n; i++) {
		const Pair *p = &map->pairs[i];

		if (strcmp(p->system_user, system_user) == 0 &&
		    (!p->database_user || strcmp(p->database_user, database_user) == 0))
			return true;
	}
	return false;
}

static void map_free(IdentMap *map)
{
	for (int i = 0; i < map->n; i++) {
		free(map->pairs[i].system_user);
		free(map->pairs[i].database_user);
	}
	free(map->pairs);
	free(map->name);
	free(map);
}

void ident_free(IdentMaps *maps)
{
	if (!maps)
		return;
	for (int i = 0; i < maps->n; i++)
		map_free(maps->at[i]);
	free(maps->at);
	free(maps);
}
