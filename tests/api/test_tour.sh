#!/bin/bash
# The README's tour, as it is pasted: the block after <!-- tour --> runs in one
# shell against $CATETUBE_TEST_URL. Each "#=> text" below a step is one line of
# the step's output, in order; "..." stands for anything.
set -uo pipefail
export LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readme=${1:-$root/README.md}
export CATETUBE_TEST_URL=${CATETUBE_TEST_URL:-http://127.0.0.1:8080}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

ok() { # name, found anything wrong
  if [ -z "$2" ]; then
    echo "step $1: ok"
    passed=$((passed + 1))
  else
    echo "step $1: $2"
    failed=$((failed + 1))
  fi
}

# A step is the lines up to its "#=>" lines. Its output goes to a file of its
# own, its expectations to another; everything else is left as it stands.
steps=$(awk -v dir="$work" '
  /^<!-- tour -->$/ { seen = 1; next }
  seen && /^```bash$/ { inside = 1; fresh = 1; next }
  inside && /^```$/ { exit }
  !inside { next }
  /^#=> / { print substr($0, 5) > (dir "/" n ".want"); fresh = 1; next }
  fresh { n++; fresh = 0; print "exec >" dir "/" n ".out 2>&1" > (dir "/run") }
  { print > (dir "/run") }
  END { print n + 0 }
' "$readme")

if [ "$steps" -gt 0 ]; then
  # The files that the tour makes stay below $work.
  TMPDIR=$work timeout 120 bash "$work/run" </dev/null
fi

for n in $(seq "$steps"); do
  # What follows the last expectation has none and must be silent.
  touch "$work/$n.want" "$work/$n.out"
  mapfile -t want <"$work/$n.want"
  mapfile -t got < <(tr -d '\r' <"$work/$n.out" | grep -v '^$')
  for i in "${!want[@]}"; do
    pattern=${want[i]//\\/\\\\}
    pattern=${pattern//\*/\\*}
    pattern=${pattern//\?/\\?}
    pattern=${pattern//\[/\\[}
    pattern=${pattern//.../*}
    # shellcheck disable=SC2053 # it is a pattern
    if [[ ${got[i]-} == $pattern ]]; then
      ok "$n" ""
    else
      ok "$n" "wanted ${want[i]}, got ${got[i]-nothing}"
    fi
  done
  if [ ${#got[@]} -gt ${#want[@]} ]; then
    ok "$n" "not expected: ${got[*]:${#want[@]}}"
  fi
done

if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then
  ok 0 "no tour in $readme"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
