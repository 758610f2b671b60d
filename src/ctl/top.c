#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "request.h"
#include "show.h"

#define LOOK_AGAIN_S 2
#define MEASURE_S    1

/* Home, and nothing below. */
#define CLEAR "\033[H\033[2J"

/* ---- rows --------------------------------------------------------------- */

static double cpu_of(json_t *compute)
{
	return json_number_value(json_object_get(json_object_get(compute, "load"), "cpu_seconds"));
}

static const char *id_of(json_t *compute)
{
	const char *id = json_string_value(json_object_get(compute, "id"));

	return id ? id : "";
}

static json_t *find(json_t *computes, const char *id)
{
	size_t i;
	json_t *c;

	json_array_foreach(computes, i, c)
	{
		if (strcmp(id_of(c), id) == 0)
			return c;
	}
	return NULL;
}

static bool is_awake(json_t *compute)
{
	return json_is_object(json_object_get(compute, "load"));
}

/* Of one CPU; a server that began meanwhile has not been seen twice. */
static void add_cpu(json_t *compute, json_t *before, double seconds)
{
	double used = cpu_of(compute) - cpu_of(before);
	char text[32];

	if (!before || !is_awake(before) || used < 0 || seconds <= 0)
		return;
	snprintf(text, sizeof(text), "%.0f%%", used / seconds * 100);
	json_object_set_new(compute, "cpu", json_string(text));
}

static void add_memory(json_t *compute)
{
	json_t *load = json_object_get(compute, "load");
	double bytes = json_number_value(json_object_get(load, "memory_bytes"));
	char text[32];

	snprintf(text, sizeof(text), "%.0fMB", bytes / (1 << 20));
	json_object_set_new(compute, "memory", json_string(text));
}

/* Those that are awake, of what was answered so many seconds after `before` (NULL at first). */
static json_t *rows_of(json_t *computes, json_t *before, double seconds)
{
	json_t *rows = json_array(), *c;
	size_t i;

	json_array_foreach(computes, i, c)
	{
		if (!is_awake(c))
			continue;
		add_cpu(c, find(before, id_of(c)), seconds);
		add_memory(c);
		json_array_append(rows, c);
	}
	return rows;
}

/* ---- showing ------------------------------------------------------------ */

static void print_sum(json_t *computes, json_t *rows)
{
	double size = 0;
	size_t i, frozen = 0;
	json_t *c;

	json_array_foreach(rows, i, c)
	{
		const char *state = json_string_value(json_object_get(c, "state"));

		if (state && strcmp(state, "frozen") == 0)
			frozen++;
		else
			size += json_number_value(json_object_get(c, "size"));
	}
	printf("%zu computes: %zu awake with %g compute units, %zu frozen, %zu asleep\n\n",
	       json_array_size(computes), json_array_size(rows) - frozen, size, frozen,
	       json_array_size(computes) - json_array_size(rows));
}

static void print(const Call *call, json_t *computes, json_t *rows)
{
	if (call->json) {
		json_dumpf(rows, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_sum(computes, rows);
		show_table(stdout, rows, call->command->columns);
	}
	fflush(stdout);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool top_run(const Call *call, const Setup *setup, Fault *why)
{
	bool again = isatty(STDOUT_FILENO) && !call->json;
	json_t *before = NULL, *answer = NULL, *rows;
	double before_s = 0, at_s;
	bool ok;

	while ((ok = request_answer(call, setup, &answer, why))) {
		at_s = now_s();
		rows = rows_of(json_object_get(answer, "computes"),
			       json_object_get(before, "computes"), at_s - before_s);
		if (again)
			fputs(CLEAR, stdout);
		if (again || before)
			print(call, json_object_get(answer, "computes"), rows);
		json_decref(rows);
		if (!again && before)
			break;
		json_decref(before);
		before = answer;
		before_s = at_s;
		sleep(again ? LOOK_AGAIN_S : MEASURE_S);
	}
	json_decref(before);
	json_decref(answer);
	return ok;
}
