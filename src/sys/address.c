#include "sys/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool parse_port(const char *text, int *port)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 5 || text[digits])
		return false;
	*port = atoi(text);
	return *port > 0 && *port <= 65535;
}

bool address_split(const char *text, char *host, size_t host_size, int *port)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = *text == '[';
	size_t n;

	*port = 0;
	if (*text == '/' || *text == '@')
		return text_copy(host, host_size, text);
	if (!colon || colon == text || !parse_port(colon + 1, port))
		return false;
	if (bracketed && (colon[-1] != ']' || colon - text < 2))
		return false;
	n = (size_t)(colon - text) - 2 * (size_t)bracketed;
	return n > 0 && text_copy_n(host, host_size, text + bracketed, n);
}

static bool of_path(Address *out, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(out->at.un.sun_path))
		return false;
	out->at.un.sun_family = AF_UNIX;
	memcpy(out->at.un.sun_path, path, n + 1);
	out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path != '@'));
	if (*path == '@')
		out->at.un.sun_path[0] = 0;
	return true;
}

bool address_of_literal(Address *out, const char *host, int port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at.storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at.storage;

	memset(out, 0, sizeof(*out));
	if (*host == '/' || *host == '@')
		return of_path(out, host);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		out->size = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		out->size = sizeof(*v6);
		return true;
	}
	return false;
}

int address_bytes(const Address *a, uint8_t bytes[16], uint16_t *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->at.storage;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->at.storage;

	switch (a->at.any.sa_family) {
	case AF_INET:
		memcpy(bytes, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
		return 4;
	case AF_INET6:
		memcpy(bytes, &v6->sin6_addr, 16);
		*port = ntohs(v6->sin6_port);
		return 6;
	default:
		return 0;
	}
}

bool address_is_local(const Address *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};
	uint8_t bytes[16];
	uint16_t port;

	switch (address_bytes(a, bytes, &port)) {
	case 4:
		return bytes[0] == 127;
	case 6:
		return memcmp(bytes, loopback6, sizeof(bytes)) == 0;
	default:
		return a->at.any.sa_family == AF_UNIX;
	}
}

static void print_unix(const Address *a, char *out, size_t size)
{
	const char *path = a->at.un.sun_path;
	size_t head = offsetof(struct sockaddr_un, sun_path);

	if (a->size <= head)
		snprintf(out, size, "unix");
	else if (!path[0])
		snprintf(out, size, "unix:@%.*s", (int)(a->size - head - 1), path + 1);
	else
		snprintf(out, size, "unix:%.*s", (int)(a->size - head), path);
}

void address_print(const Address *a, char *out, size_t size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->at.storage;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->at.storage;
	char ip[INET6_ADDRSTRLEN] = "?";

	switch (a->at.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
		snprintf(out, size, "%s:%d", ip, ntohs(v4->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
		snprintf(out, size, "[%s]:%d", ip, ntohs(v6->sin6_port));
		break;
	case AF_UNIX:
		print_unix(a, out, size);
		break;
	default:
		snprintf(out, size, "unknown");
	}
}

void address_of_own_end(Address *out, int fd)
{
	*out = (Address){.size = sizeof(out->at)};
	if (getsockname(fd, &out->at.any, &out->size) == -1)
		out->size = 0;
}
