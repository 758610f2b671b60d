#!/bin/bash
# Each header compiles alone, so that nobody has to know in which order to include them.
set -euo pipefail
cd "${srcdir:-$(dirname "$0")/../..}"
read -ra flags < <(pkg-config --cflags libevent libcrypto libcares libcurl libpq sqlite3 jansson)
bad=0
while read -r header; do
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -iquote include \
		-iquote "$(dirname "$header")" "${flags[@]}" -x c - <<<"#include \"${header#include/}\"" ||
		bad=1
done < <(find include src -name '*.h' | sort)
exit $bad
