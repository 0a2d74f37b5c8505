#!/bin/bash
# A header of the worker that changes makes every object stale that includes
# it, however the build directory is spelled: objects of two layouts in one
# program are worse than none.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL
abuild=${ABUILD:-build-asan}

passed=0 failed=0
for dir in "$abuild" "$PWD/$abuild" "./$abuild/"; do
  plan=$(make -n -W worker/node.h ABUILD="$dir" \
    "$abuild/tests/worker/test_settle" 2>&1)
  for name in link round slot settle node; do
    if grep -q -- "-c -o $abuild/worker/$name.o" <<<"$plan"; then
      passed=$((passed + 1))
    else
      echo "not rebuilt with ABUILD=$dir: worker/$name.o"
      failed=$((failed + 1))
    fi
  done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
