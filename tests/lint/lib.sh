# Common to the lint scripts, which source it: where the tree is, what counts
# as source, and how a check says its result. LINT_ROOT names another tree.
# shellcheck shell=bash
# No -e: a grep that finds nothing is what a check hopes for. lastpipe: verdict,
# the last of its pipeline, runs in this shell and so can keep what it found.
set -u
shopt -s lastpipe
export LC_ALL=C.UTF-8

cd "${LINT_ROOT:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 2
lint_failed=0
trap 'exit $lint_failed' EXIT

# verdict NAME: what stands on standard input are the violations.
verdict() {
  local found
  found=$(cat)
  if [ -z "$found" ]; then
    echo "ok $1"
    return
  fi
  lint_failed=1
  echo "not ok $1 - $(wc -l <<<"$found") found"
  printf '    %s\n' "${found//$'\n'/$'\n    '}"
}

product() { # extensions...
  local e
  for e in "$@"; do
    find common care db fcgi worker ctl -name "*.$e" 2>/dev/null
  done | sort
}

all_c() {
  { product c h; find tests -name '*.[ch]'; } | sort
}
