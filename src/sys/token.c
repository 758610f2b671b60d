#include "sys/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/log.h"

void token_read(const Config *conf, const char *own, char out[TOKEN_SIZE])
{
	const char *file = conf->wake.token_file.s;
	ssize_t n = -1;
	int fd;

	text_copy(out, TOKEN_SIZE, conf->has_control ? own : "");
	if (!*file)
		return;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd != -1)
		n = read(fd, out, TOKEN_SIZE - 1);
	if (n == -1)
		log_error("could not read token_file, going without a token: file=\"%s\" "
			  "error=\"%s\"",
			  file, strerror(errno));
	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, " \t\r\n")] = 0;
	if (fd != -1)
		close(fd);
}
