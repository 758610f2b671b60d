/* Who is in charge, as the store has it. */
#include "deed.h"
#include "shared.h"
#include "sys/clock.h"

static void take_leadership(void *record, const Row *row)
{
	Leadership *l = record;

	l->epoch = row_int(row, 0);
	row_text(row, 1, l->url, sizeof(l->url));
	l->since = row_int(row, 2);
}

/* Waits for what the one before us is just writing, and ends what it would write later. */
void store_take_over(Store *s, const char *url, StoreCall call)
{
	Deed *d;

	s->epoch = 0;
	d = deed_new(s, DEED_PROMISE, call);
	deed_say(d,
		 "UPDATE leadership SET epoch = epoch + 1, url = $1, since = $2"
		 " RETURNING epoch, url, since",
		 "ti", url, wall_us());
	deed_take(d, sizeof(Leadership), take_leadership);
	deed_do(d);
}

void store_leader(Store *s, StoreCall call)
{
	Deed *d = deed_new(s, DEED_READ, call);

	deed_say(d, "SELECT epoch, url, since FROM leadership", "");
	deed_take(d, sizeof(Leadership), take_leadership);
	deed_do(d);
}
