/*
 * The kernel shows what lies where main()'s arguments were.  The environment lies
 * right behind them; it is moved away, and the room of both is ours.
 */
#include "sys/title.h"

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

static char *room;
static size_t room_size;

static char **arguments; /* kept, because options point into them */

static size_t count(char **list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

static char **copy_list(char **list, char **end)
{
	size_t n = count(list);
	char **copy = mem_new(n + 1, sizeof(char *));

	for (size_t i = 0; i < n; i++) {
		if (list[i] == *end)
			*end += strlen(list[i]) + 1;
		copy[i] = mem_text(list[i]);
	}
	return copy;
}

char **title_init(char **argv)
{
	char *end = argv[0];

	room = argv[0];
	arguments = copy_list(argv, &end);
	environ = copy_list(environ, &end);
	room_size = (size_t)(end - room);
	return arguments;
}

void title_set(const char *title)
{
	memset(room, 0, room_size);
	text_copy(room, room_size, title);
	prctl(PR_SET_NAME, "reveille");
}
