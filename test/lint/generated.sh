#!/bin/bash
# What the program prints and what is committed are the same: the sample
# configuration, and the settings in the manual. Both samples load, the first also
# when every default in it is said aloud. Runs in the build folder.
set -euo pipefail
reveille=${REVEILLE:-$PWD/reveille}
cd "${srcdir:-$(dirname "$0")/../..}"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

"$reveille" --print-ini >"$made/reveille.ini"
{ cat doc/reveille.ini.5.head && "$reveille" --print-man; } >"$made/reveille.ini.5"
diff -u etc/reveille.ini "$made/reveille.ini" && diff -u doc/reveille.ini.5 "$made/reveille.ini.5" || {
	echo "the committed files are stale: make regenerate renews them"
	exit 1
}

sed 's/^;\(\[\|[a-z_]* =\)/\1/' etc/reveille.ini >"$made/aloud.ini"
for sample in etc/reveille.ini etc/reveille-minimal.ini "$made/aloud.ini"; do
	"$reveille" -t "$sample" >/dev/null
done
