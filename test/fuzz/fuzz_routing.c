/*
 * A startup packet of any bytes, routed: what goes on to the compute is a good
 * packet, and nothing but a DNS label is asked of the control plane.
 *
 * Input: which configuration (upper bit: a server name follows, with its length
 * in a byte), then the packet behind its length and version.
 */
#include "fuzz.h"

#include "base/text.h"
#include "src/proto/pg/pg.h"
#include "src/proxy/routing.h"

static const char *const files[] = {
	"",
	"[databases]\nlegacy = host=h dbname=old user=ann timezone=UTC\n* = wake=control_plane\n",
	"[reveille]\nroute_by = user,options,database\nroute_separator = --\n",
	"[databases]\n* = host=h\n[reveille]\nroute_by = database,options,user\n",
	"[reveille]\nroute_by = sni,options,user,database\nroute_domain = db.example.com, x.org\n",
	"[databases]\nlegacy = host=h\n* = wake=control_plane\n[reveille]\nroute_domain = x\n",
};

#define N_FILES (sizeof(files) / sizeof(files[0]))

static const Config *conf_of(uint8_t choice)
{
	static const Config *confs[N_FILES];
	Fault why;
	size_t i = (choice & 0x7f) % N_FILES;

	if (!confs[i])
		confs[i] = conf_parse("x.ini", files[i], NULL, 0, &why);
	return confs[i];
}

static bool read_packet(Hello *hello, Span body)
{
	Buf in = {0}, reply = {0};
	Fault why;
	HelloVerdict verdict;

	buf_append_u32(&in, (uint32_t)body.n + 8);
	buf_append_u32(&in, 3 << 16);
	buf_append(&in, body);
	verdict = pg_hello(hello, &in, &reply, &why);
	buf_free(&in);
	buf_free(&reply);
	return verdict == HELLO_STARTUP;
}

static void check_goes_on(const Startup *s)
{
	Hello again = {.asked_ssl = false};
	Buf packet = {0}, reply = {0};
	Fault why;

	pg_begin(s, &packet);
	CHECK(buf_size(&packet) <= PG_STARTUP_MAX);
	CHECK(pg_hello(&again, &packet, &reply, &why) == HELLO_STARTUP);
	hello_free(&again);
	buf_free(&packet);
}

static char *take_server_name(Span *in)
{
	return text_of_input(take_bytes(in, take_byte(in)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Span in = {data, size};
	uint8_t choice = take_byte(&in);
	const Config *conf = conf_of(choice);
	char *server_name = choice & 0x80 ? take_server_name(&in) : text_of_input((Span){0});
	const Database *database = NULL;
	Hello hello = {.asked_ssl = false};
	char compute[64];
	Fault why = {0};

	if (read_packet(&hello, in)) {
		if (routing_find(conf, "postgres", server_name, &hello.startup, compute,
				 sizeof(compute), &database, &why)) {
			CHECK(database && *compute);
			CHECK(!database->wake || text_is_label(compute));
			check_goes_on(&hello.startup);
		} else {
			CHECK(why.code != FAULT_NONE && *why.detail);
		}
	}
	hello_free(&hello);
	free(server_name);
	return 0;
}
