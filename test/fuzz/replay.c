/*
 * Runs a fuzz target over files, with any compiler: in make check, over the
 * committed corpus of the target, past crashes included.
 *
 *	fuzz_NAME [FILE or FOLDER]...      default: test/fuzz/corpus/fuzz_NAME
 */
#include <dirent.h>

#include "fuzz.h"

static int replayed;

static void replay_file(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t n;
	uint8_t *exact;

	if (!file) {
		perror(path);
		exit(1);
	}
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	/* Of its exact size, so that a sanitizer sees a read behind the end. */
	exact = malloc(n > 0 ? n : 1);
	memcpy(exact, bytes, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	replayed++;
}

static void replay(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char file[4096];

	if (!folder) {
		replay_file(path);
		return;
	}
	while ((entry = readdir(folder))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		replay_file(file);
	}
	closedir(folder);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/'), *source = getenv("srcdir");
	char corpus[4096];

	snprintf(corpus, sizeof(corpus), "%s/test/fuzz/corpus/%s", source ? source : ".",
		 name ? name + 1 : argv[0]);
	if (argc == 1)
		replay(corpus);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs replayed\n", replayed);
	return replayed == 0;
}
