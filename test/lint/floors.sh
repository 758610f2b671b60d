#!/bin/sh
# Checks every #include against doc/floors.txt.
#
# A folder's own headers are included by bare name ("session.h"), those of another
# floor by path ("base/fault.h"), so that the path says who is asking whom.
set -eu
cd "${srcdir:-$(dirname "$0")/../..}"
# shellcheck disable=SC2046 # our file names have no blanks
exec awk '
function complain(text) { print FILENAME ":" FNR ": " text; bad = 1 }

# Whether the library with this header may be included from a folder: by its own line alone.
function library_allows(folder, header,    i, home) {
	for (i = 1; i <= n_homes[header]; i++) {
		home = homes[header, i]
		if (folder == home || index(folder "/", home "/") == 1)
			return 1
	}
	return 0
}

FILENAME ~ /floors.txt$/ {
	if (/^#/ || !NF)
		next
	if (/^</) {
		libraries[$1] = 1
		for (i = 2; i <= NF; i++)
			homes[$1, ++n_homes[$1]] = $i
		next
	}
	floor[$1] = may[$1, $1] = 1
	for (i = 2; i <= NF; i++) {
		may[$1, $i] = 1
		if (!floor[$i])
			complain($1 " names " $i ", which is not below it")
	}
	next
}

FNR == 1 {
	n = split(FILENAME, at, "/")
	folder = at[2]
	for (i = 3; i < n; i++)
		folder = folder "/" at[i]
	if (!floor[at[2]])
		complain(at[2] " is no floor of doc/floors.txt")
}

/^#[ \t]*include "/ {
	split($0, quoted, "\"")
	split(quoted[2], to, "/")
	if (floor[to[1]] && !may[at[2], to[1]])
		complain(at[2] " may not include " quoted[2])
	if (gsub(/\.\.\//, "&", quoted[2]) > n - 3)
		complain(quoted[2] " leaves the floor " at[2])
}

/^#[ \t]*include </ {
	header = $0
	sub(/^[^<]*/, "", header)
	for (library in libraries)
		if (index(header, library) == 1 && !library_allows(folder, library))
			complain(folder " may not include " header)
}

END { exit bad }' doc/floors.txt $(find include src -name '*.[ch]' -o -name '*.def' | sort)
