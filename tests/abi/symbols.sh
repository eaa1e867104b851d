#!/bin/bash
# libweir.so shows exactly the names of symbols.txt.
# Usage: symbols.sh LIBRARY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if ! diff -u "$here/symbols.txt" <("$here/../../scripts/list-symbols" "$1"); then
    echo "The exported names have changed.  A name that goes breaks programs;" \
        "one that comes is recorded by scripts/update-symbols BUILD."
    exit 1
fi
