#!/bin/bash
# Our shell scripts, read by shellcheck where it is installed.
set -euo pipefail
cd "${srcdir:-$(dirname "$0")/../..}"
command -v shellcheck >/dev/null || exit 77
shellcheck -S warning bootstrap quickstart test/run .ci/run test/lint/*.sh
