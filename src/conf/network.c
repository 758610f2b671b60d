#include "conf/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Longer than any network that is one: 39 of IPv6, a slash and three digits. */
#define WORD_MAX 64

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void client_address_unmap(ClientAddress *a)
{
	if (a->family != 6 || memcmp(a->bytes, mapped, sizeof(mapped)) != 0)
		return;
	a->family = 4;
	memmove(a->bytes, a->bytes + sizeof(mapped), 4);
	memset(a->bytes + 4, 0, sizeof(a->bytes) - 4);
}

void client_address_print_ip(const ClientAddress *a, char *out, size_t size)
{
	if (a->family == 0 ||
	    !inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, (socklen_t)size))
		snprintf(out, size, "unix");
}

void client_address_print(const ClientAddress *a, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	client_address_print_ip(a, ip, sizeof(ip));
	if (a->family == 0)
		snprintf(out, size, "%s", ip);
	else
		snprintf(out, size, a->family == 4 ? "%s:%d" : "[%s]:%d", ip, a->port);
}

void client_address_print_network(const ClientAddress *a, char *out, size_t size)
{
	int bits = a->family == 4 ? 24 : 56;
	ClientAddress network = {.family = a->family};
	char ip[INET6_ADDRSTRLEN];

	memcpy(network.bytes, a->bytes, (size_t)bits / 8);
	client_address_print_ip(&network, ip, sizeof(ip));
	if (a->family == 0)
		snprintf(out, size, "local");
	else
		snprintf(out, size, "%s/%d", ip, bits);
}

/* As it is written, mapped or not. */
static bool read_address(ClientAddress *out, const char *text)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->bytes) == 1)
		out->family = 6;
	return out->family;
}

bool client_address_parse(ClientAddress *out, const char *text)
{
	if (!read_address(out, text))
		return false;
	client_address_unmap(out);
	return true;
}

static int bits_of(int family)
{
	return family == 4 ? 32 : 128;
}

/* The mask of one byte, of the given number of bits in the whole address. */
static uint8_t mask_byte(int bits, int i)
{
	int here = bits - 8 * i;

	return here >= 8 ? 0xff : here <= 0 ? 0 : (uint8_t)(0xff << (8 - here));
}

static bool bad_network(Fault *why, const char *text)
{
	return fault_set(why, FAULT_BAD_SETTING,
			 "\"%.80s\" is no network; write one as 10.0.0.0/8 or 2001:db8::/32, or a "
			 "single address",
			 text);
}

/* Bits behind the mask are a slip of the pen, and which end of it is wrong nobody knows. */
static bool check_host_bits(const Network *n, const char *text, Fault *why)
{
	char right[INET6_ADDRSTRLEN];
	uint8_t cut[16];

	for (int i = 0; i < 16; i++)
		cut[i] = n->bytes[i] & mask_byte(n->bits, i);
	if (memcmp(cut, n->bytes, sizeof(cut)) == 0)
		return true;
	inet_ntop(n->family == 4 ? AF_INET : AF_INET6, cut, right, sizeof(right));
	return fault_set(why, FAULT_BAD_SETTING,
			 "\"%.80s\" has bits set behind its mask; the network is %s/%d", text,
			 right, n->bits);
}

/* Of an address as it was written and the bits that were said of it. */
static bool network_set(Network *out, ClientAddress *a, int bits, const char *text, Fault *why)
{
	if (bits < 0 || bits > bits_of(a->family))
		return fault_set(why, FAULT_BAD_SETTING,
				 "the mask of \"%.80s\" must be between 0 and %d", text,
				 bits_of(a->family));
	if (a->family == 6 && bits >= 96) {
		client_address_unmap(a);
		bits -= a->family == 4 ? 96 : 0;
	}
	*out = (Network){.family = a->family, .bits = bits};
	memcpy(out->bytes, a->bytes, sizeof(out->bytes));
	return check_host_bits(out, text, why);
}

/* One to three digits, or -1. */
static int read_bits(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n <= 3 && !text[n] ? atoi(text) : -1;
}

bool network_parse(Network *out, const char *text, Fault *why)
{
	const char *slash = strchr(text, '/');
	char address[WORD_MAX];
	ClientAddress a;

	if (!text_copy_n(address, sizeof(address), text,
			 slash ? (size_t)(slash - text) : strlen(text)) ||
	    !read_address(&a, address))
		return bad_network(why, text);
	return network_set(out, &a, slash ? read_bits(slash + 1) : bits_of(a.family), text, why);
}

/* How many bits are set before the first that is not; -1 if others follow that one. */
static int bits_of_mask(const ClientAddress *mask)
{
	int bits = 0;

	while (bits < bits_of(mask->family) && mask->bytes[bits / 8] & 0x80 >> bits % 8)
		bits++;
	for (int i = 0; i < 16; i++) {
		if (mask->bytes[i] != mask_byte(bits, i))
			return -1;
	}
	return bits;
}

bool network_parse_mask(Network *out, const char *address, const char *mask, Fault *why)
{
	ClientAddress a, m;

	if (!read_address(&a, address))
		return bad_network(why, address);
	if (!read_address(&m, mask) || m.family != a.family || bits_of_mask(&m) < 0)
		return fault_set(why, FAULT_BAD_SETTING,
				 "\"%.80s\" is no mask for %.80s; write %.80s/%d", mask, address,
				 address, bits_of(a.family));
	return network_set(out, &a, bits_of_mask(&m), address, why);
}

bool network_has(const Network *n, const ClientAddress *a)
{
	ClientAddress plain = *a;

	client_address_unmap(&plain);
	if (plain.family != n->family)
		return false;
	for (int i = 0; 8 * i < n->bits; i++) {
		if ((plain.bytes[i] ^ n->bytes[i]) & mask_byte(n->bits, i))
			return false;
	}
	return true;
}

static bool add_word(NetworkList *l, const char *word, Fault *why)
{
	Network n;

	if (strcmp(word, "unix") == 0)
		return l->unix_too = true;
	if (!*word)
		return fault_set(why, FAULT_BAD_SETTING, "there is nothing between two commas");
	if (!network_parse(&n, word, why))
		return false;
	l->at = mem_grow(l->at, sizeof(Network) * (size_t)(l->n + 1));
	l->at[l->n++] = n;
	return true;
}

bool network_list_parse(NetworkList *out, const char *text, Fault *why)
{
	char *copy = mem_text(text), *rest = text_trim(copy);
	bool ok = true;

	*out = (NetworkList){0};
	if (!*rest)
		rest = NULL;
	while (ok && rest)
		ok = add_word(out, text_trim(strsep(&rest, ",")), why);
	free(copy);
	if (!ok)
		network_list_free(out);
	return ok;
}

bool network_list_has(const NetworkList *l, const ClientAddress *a)
{
	if (a->family == 0)
		return l->unix_too;
	for (int i = 0; i < l->n; i++) {
		if (network_has(&l->at[i], a))
			return true;
	}
	return false;
}

void network_list_free(NetworkList *l)
{
	free(l->at);
	*l = (NetworkList){0};
}
