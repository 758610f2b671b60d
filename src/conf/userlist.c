#include "conf/userlist.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/text.h"

typedef struct User {
	UT_hash_handle hh;
	size_t size;  /* of name and secret, with their zeros */
	char *secret; /* within name[] */
	char name[];
} User;

struct Userlist {
	User *users; /* by name */
};

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r");
}

/* Reads a word in double quotes, up to the end of its line. */
static bool read_word(const char **at, char *out, size_t size, const char *what, Fault *why)
{
	const char *p = *at;
	size_t n = 0;

	if (*p != '"')
		return fault_set(why, FAULT_BAD_SETTING,
				 "expected a %s in double quotes: \"name\" \"secret\"", what);
	for (p++; *p && *p != '\n' && (*p != '"' || p[1] == '"'); p++) {
		if (n + 1 == size)
			return fault_set(why, FAULT_BAD_SETTING, "the %s is longer than %zu bytes",
					 what, size - 1);
		p += *p == '"';
		out[n++] = *p;
	}
	if (*p != '"')
		return fault_set(why, FAULT_BAD_SETTING, "the quote around the %s is not closed",
				 what);
	out[n] = 0;
	*at = p + 1;
	return true;
}

static void add_user(Userlist *l, const char *name, const char *secret)
{
	size_t name_size = strlen(name) + 1, secret_size = strlen(secret) + 1;
	User *u = mem_new(1, sizeof(*u) + name_size + secret_size);

	u->size = name_size + secret_size;
	u->secret = u->name + name_size;
	memcpy(u->name, name, name_size);
	memcpy(u->secret, secret, secret_size);
	HASH_ADD_KEYPTR(hh, l->users, u->name, name_size - 1, u);
}

static bool take_line(Userlist *l, const char *line, Fault *why)
{
	char name[USERLIST_NAME_MAX], secret[USERLIST_SECRET_MAX], quoted[2 * USERLIST_NAME_MAX];
	const char *p = skip_blanks(line);
	bool ok;

	if (!*p || *p == '\n' || *p == ';' || *p == '#')
		return true;
	if (!read_word(&p, name, sizeof(name), "name", why))
		return false;
	if (!*name)
		return fault_set(why, FAULT_BAD_SETTING, "the name is empty");
	if (userlist_find(l, name))
		return fault_set(why, FAULT_BAD_SETTING, "user %s stands twice",
				 text_quote(quoted, sizeof(quoted), name));
	p = skip_blanks(p);
	ok = read_word(&p, secret, sizeof(secret), "secret", why);
	if (ok)
		add_user(l, name, secret);
	explicit_bzero(secret, sizeof(secret));
	return ok;
}

Userlist *userlist_parse(const char *file, const char *text, Fault *why)
{
	Userlist *l = NEW(Userlist);
	const char *line = text;
	Fault inner;

	for (int number = 1; line; number++) {
		const char *end = strchr(line, '\n');

		if (!take_line(l, line, &inner)) {
			fault_set(why, FAULT_BAD_SETTING, "%s:%d: %s", file, number, inner.detail);
			userlist_free(l);
			return NULL;
		}
		line = end ? end + 1 : NULL;
	}
	return l;
}

const char *userlist_find(const Userlist *l, const char *user)
{
	User *u;

	HASH_FIND_STR(l->users, user, u);
	return u ? u->secret : NULL;
}

bool userlist_is_plain(const char *secret)
{
	return secret && *secret && !text_starts(secret, "SCRAM-SHA-256$") &&
	       !text_starts(secret, "md5");
}

void userlist_each(const Userlist *l, void (*each)(void *arg, const char *user, const char *secret),
		   void *arg)
{
	for (const User *u = l->users; u; u = u->hh.next)
		each(arg, u->name, u->secret);
}

void userlist_free(Userlist *l)
{
	User *u, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->users, u, next)
	{
		HASH_DEL(l->users, u);
		explicit_bzero(u->name, u->size);
		free(u);
	}
	free(l);
}
