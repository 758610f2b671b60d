#!/bin/bash
# What is declared in a table is also used, explained and complete:
#   a setting that works is read somewhere, and its doc is a sentence;
#   a fault is raised somewhere;
#   a phase has its file; a command, its options and what it can set stand in the manual;
#   an invariant's tests exist.
set -euo pipefail
cd "${srcdir:-$(dirname "$0")/../..}"
bad=0
complain() {
	echo "$*"
	bad=1
}

# Accepted so that a file of PgBouncer's loads, though nothing pools yet.
without_effect=default_pool_size

# Rows of a .def, each on one line: rows FILE MACRO
rows() {
	tr '\n\t' '  ' <"$1" | sed 's,/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/,,g' |
		grep -o "\b$2([^\"]*\(\"\([^\"\\\\]\|\\\\.\)*\"[^\")]*\)*)"
}

while IFS='|' read -r section name when doc; do
	[[ $doc =~ [.\)]$ ]] || complain "settings.def: the doc of $name is no sentence: $doc"
	[ "$when" = LATER ] && continue
	[[ " $without_effect " == *" $name "* ]] && continue
	grep -rqE "(->|\.)$section\.$name\b" src --include='*.[ch]' ||
		complain "settings.def: nobody reads $section.$name"
done < <(rows include/conf/settings.def SETTING |
	sed -n 's/^SETTING(\([a-z]*\), \([a-z_0-9]*\),.*\b\(RELOAD\|RESTART\|LATER\),[ ]*"\(.*\)")$/\1|\2|\3|\4/p')

while read -r name; do
	grep -rqw "FAULT_$name" src || complain "faults.def: nobody raises $name"
done < <(rows include/base/faults.def FAULT | sed 's/FAULT(\([A-Z_]*\).*/\1/')

while read -r name; do
	[ -e "src/proxy/phase_$name.c" ] || complain "phases.def: $name has no file phase_$name.c"
done < <(rows src/proxy/phases.def PHASE | sed 's/PHASE(\([a-z_]*\).*/\1/')

while read -r words; do
	grep -qF "$words" doc/reveillectl.1 || complain "commands.def: \"$words\" is not in the manual"
done < <(rows src/ctl/commands.def COMMAND | sed 's/COMMAND("\([a-z ]*\)".*/\1/')
while read -r option; do
	grep -qF -- "\\-\\-${option//-/\\-}" doc/reveillectl.1 ||
		complain "commands.def: --$option is not in the manual"
done < <(rows src/ctl/commands.def OPTION | sed 's/OPTION("\([a-z-]*\)".*/\1/')

# ".B NAME|DOC: WANTED." as the manual has it.
while IFS='|' read -r name text; do
	grep -xF -A 1 "$name" doc/reveillectl.1 | grep -qxF -- "$text" ||
		complain "control/settings.def: the manual has not, of \"$name\": $text"
done < <(rows src/control/settings.def MEMBER |
	sed -E 's/MEMBER\([A-Z]*, *([a-z_]*),.*, *"(([^"\\]|\\.)*)", *"(([^"\\]|\\.)*)"\)/.B \1|\4: \2./; s/\\"/"/g; s/-/\\-/g')

# Each promise that spans files names tests that there are.
for test in $(grep -o '`test/[^`]*`' doc/invariants.md | tr -d '`'); do
	compgen -G "$test" >/dev/null || complain "invariants.md: there is no $test"
done

exit $bad
