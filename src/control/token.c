#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/log.h"
#include "sys/random.h"

#define TOKEN_BYTES 32
#define LEAST_TOKEN 16

static bool make_file(const char *file, Fault *why)
{
	char token[TOKEN_SIZE];
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1)
		return fault_set(why, FAULT_BAD_SETTING, "could not make the token file \"%s\": %s",
				 file, strerror(errno));
	random_hex(token, TOKEN_BYTES);
	if (dprintf(fd, "%s\n", token) != TOKEN_SIZE || close(fd) == -1)
		return fault_set(why, FAULT_BAD_SETTING,
				 "could not write the token file \"%s\": %s", file,
				 strerror(errno));
	log_info("made the admin's token: file=\"%s\"", file);
	return true;
}

bool token_load_admin(Tokens *t, const char *file, Fault *why)
{
	char text[2 * TOKEN_SIZE];
	ssize_t n = -1;
	int fd;

	if (access(file, F_OK) == -1 && !make_file(file, why))
		return false;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	if (text_copy(t->admin, sizeof(t->admin), text_trim(text)) &&
	    strlen(t->admin) >= LEAST_TOKEN)
		return true;
	return fault_set(why, FAULT_BAD_SETTING,
			 "the token file \"%s\" must hold one token of %d to %d characters", file,
			 LEAST_TOKEN, TOKEN_SIZE - 1);
}

static bool is(const char *shown, const char *token)
{
	size_t n = strlen(token);

	return n > 0 && strlen(shown) == n && bytes_equal_in_constant_time(shown, token, n);
}

Scope token_scope(const Tokens *t, const char *authorization)
{
	static const char scheme[] = "Bearer ";
	const char *shown;

	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return SCOPE_NONE;
	shown = authorization + sizeof(scheme) - 1;
	if (is(shown, t->admin))
		return SCOPE_ADMIN;
	return is(shown, t->proxy) ? SCOPE_PROXY : SCOPE_NONE;
}
