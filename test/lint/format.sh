#!/bin/bash
# The layout is clang-format's. Version 14 alone: others differ in small things.
set -euo pipefail
cd "${srcdir:-$(dirname "$0")/../..}"
tool=$(command -v clang-format-14 || command -v clang-format) || exit 77
[[ $("$tool" --version) == *" 14."* ]] || exit 77
find src include test -name '*.[ch]' -print0 | xargs -0 "$tool" --dry-run -Werror
