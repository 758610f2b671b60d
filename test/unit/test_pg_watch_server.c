/*
 * A watch between a client and a small model of a server: whenever the server
 * still owes an answer to something that the watch has seen, the session is not
 * at rest; and when all is said, it is.
 *
 * The client follows a random script and does not wait unless the script says
 * so; messages and answers arrive as late as chance has it.
 */
#include "wire.h"

/*
 * What clients do, a message being its type and what is the matter with it:
 * 'c' it is a COPY FROM STDIN, 'e' it fails, 'b' bad data.  ".." waits until
 * everything sent so far has been taken and answered.
 */
static const char *const scripts[] = {
	"Q ",
	"Qe",
	"P B E S ",
	"P B EeS ",
	"P B E S P B EeP B E S ",
	"..Qcd d c ",
	"..Qcd dbd c ",
	"..Qcd f ",
	"..Qc..d d c ",
	"..Qc..d dbd d c ",
	"..Qc..db..d c ",
	"..P B EcS d d c S ",
	"..P B EcS d dbd c S ",
	"..P B EeS d d c S ",
	"..P B EcS ..d d c S ",
	"..P B EcS ..d S d S c S ",
	"..P B EcS ..d dbd f S ",
	"..P B EcS ..db..S ",
	"..P B EcH ..d c S ",
};

#define TOKENS 400
#define STEPS  4000

typedef struct Talk {
	char script[2 * TOKENS + 1];
	int sent, taken; /* tokens that the watch, and the server, has seen */
	enum { READY, COPYING, COPYING_EXTENDED, SKIPPING } server;
	int query; /* the token that began the COPY */
	char answers[TOKENS * 5];
	int owed_to[TOKENS * 5]; /* of a ReadyForQuery: the token that it answers */
	int said, shown;         /* answers that the server has given, and the watch seen */
	Watch watch;
} Talk;

static void answer(Talk *t, const char *types, int request)
{
	for (; *types; types++) {
		t->owed_to[t->said] = request;
		t->answers[t->said++] = *types;
	}
}

static void end_copy(Talk *t, const char *types, bool failed)
{
	bool simple = t->server == COPYING;

	answer(t, types, t->query);
	if (simple)
		answer(t, "I", t->query);
	t->server = failed && !simple ? SKIPPING : READY;
}

static void take_in_copy(Talk *t, char type, char flavour)
{
	if (type == 'c')
		end_copy(t, "C", false);
	else if (type == 'f' || flavour == 'b')
		end_copy(t, "E", true);
}

static void take_execution(Talk *t, bool simple, char flavour)
{
	t->query = t->taken;
	if (flavour == 'c') {
		answer(t, "G", t->taken);
		t->server = simple ? COPYING : COPYING_EXTENDED;
		return;
	}
	answer(t, flavour == 'e' ? "E" : "DDC", t->taken);
	if (simple)
		answer(t, "I", t->taken);
	else if (flavour == 'e')
		t->server = SKIPPING;
}

/* The server takes the next message, as PostgreSQL's documentation says it does. */
static void server_takes(Talk *t)
{
	char type = t->script[2 * t->taken], flavour = t->script[2 * t->taken + 1];

	if (t->server == COPYING || t->server == COPYING_EXTENDED) {
		take_in_copy(t, type, flavour);
	} else if (type == 'S') {
		answer(t, "I", t->taken);
		t->server = READY;
	} else if (t->server == READY) {
		if (type == 'Q' || type == 'E')
			take_execution(t, type == 'Q', flavour);
		else if (type == 'P' || type == 'B')
			answer(t, type == 'P' ? "1" : "2", t->taken);
	}
	t->taken++;
}

static void show(Watch *w, Side from, char type, char body)
{
	Buf message = {0};
	Fault why;

	put_message(&message, type, (Span){(const uint8_t *)&body, 1});
	assert_true(pg_watch(w, from, buf_span(&message), &why));
	buf_free(&message);
}

static void watch_sees_client(Talk *t)
{
	if (t->script[2 * t->sent] != '.')
		show(&t->watch, SIDE_CLIENT, t->script[2 * t->sent], ' ');
	t->sent++;
}

static void watch_sees_answer(Talk *t)
{
	char type = t->answers[t->shown++];

	show(&t->watch, SIDE_COMPUTE, type == 'I' ? 'Z' : type, 'I');
}

static bool is_quiet(const Talk *t)
{
	return t->taken == t->sent && t->shown == t->said;
}

static bool may_send(const Talk *t)
{
	return t->script[2 * t->sent] && (t->script[2 * t->sent] != '.' || is_quiet(t));
}

/* Something that can happen next, by chance. */
static void step(Talk *t, unsigned *seed)
{
	switch (rand_r(seed) % 3) {
	case 0:
		if (may_send(t))
			watch_sees_client(t);
		break;
	case 1:
		if (t->taken < t->sent)
			server_takes(t);
		break;
	case 2:
		if (t->shown < t->said)
			watch_sees_answer(t);
		break;
	}
}

/* What the watch said at each step, and how far things had come. */
typedef struct Moment {
	int sent, shown;
	bool at_rest;
} Moment;

static void check(const Talk *t, const Moment *moments, int n)
{
	for (int a = 0; a < t->said; a++) {
		if (t->answers[a] != 'I')
			continue;
		for (int i = 0; i < n; i++) {
			if (moments[i].sent > t->owed_to[a] && moments[i].shown <= a &&
			    moments[i].at_rest)
				fail_msg("at rest after %d messages of %s, though answer %d of %s "
					 "is owed",
					 moments[i].sent, t->script, a, t->answers);
		}
	}
}

TEST(who_is_owed_an_answer_is_not_at_rest)
{
	for (unsigned seed = 1; seed < 3000; seed++) {
		static Moment moments[STEPS];
		unsigned dice = seed;
		Talk t = {.sent = 0};
		int n = 0;

		for (int i = rand_r(&dice) % 6; i >= 0; i--)
			strcat(t.script, scripts[(size_t)rand_r(&dice) % N_OF(scripts)]);
		while (t.script[2 * t.sent] || !is_quiet(&t)) {
			step(&t, &dice);
			assert_true(n < STEPS);
			moments[n++] = (Moment){t.sent, t.shown, watch_at_rest(&t.watch)};
		}
		check(&t, moments, n);
		if (!watch_at_rest(&t.watch))
			fail_msg("not at rest after %s answered with %s", t.script, t.answers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_owed_an_answer_is_not_at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
