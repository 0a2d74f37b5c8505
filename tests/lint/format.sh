#!/bin/bash
# The C sources are as clang-format would write them (make fmt).
. "$(dirname "$0")/lib.sh"

if ! command -v clang-format >/dev/null; then
  echo "clang-format is not installed" | verdict "format: clang-format"
  exit
fi
all_c | xargs clang-format --dry-run -Werror 2>&1 |
  grep -E '(error|warning):' | cut -d: -f1 | sort | uniq -c |
  awk '{ print $2 ": " $1 " places" }' | verdict "format: clang-format"
