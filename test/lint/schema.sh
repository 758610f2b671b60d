#!/bin/bash
# Steps of the store's schema that were ever handed out stay as they are: a store that has
# taken one does not take it again.  A new step's sum is added by `sha256sum NNN.sql`.
set -euo pipefail
cd "${srcdir:-$(dirname "$0")/../..}/src/control/store/schema"
for step in *.sql; do
	grep -q "  $step\$" SHA256SUMS || { echo "SHA256SUMS: $step is not there" && exit 1; }
done
sha256sum --check --quiet SHA256SUMS
