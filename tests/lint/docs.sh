#!/bin/bash
# What a table in the code offers is named in the documents: each option in
# the README, each metric, task and route in the README or docs/. The sample
# environment and the API document are what the programs print. Tests that
# SECURITY.md names are there.
. "$(dirname "$0")/lib.sh"

documents=(README.md)
[ ! -d docs ] || documents+=(docs)

# absent NAMES: those of standard input that no document holds as a word.
absent() {
  while read -r name; do
    grep -rqF -- "$name" "$@" 2>/dev/null || echo "$name is not in $*"
  done
}

tables() { # a table that yields no names means that this script is out of date
  local out
  out=$(cat)
  [ -n "$out" ] && echo "$out" || echo "(no rows found by docs.sh)"
}

sed -nE 's/^CT_OPT\(([A-Z0-9_]+),.*/\1/p' common/options.def | tables |
  absent README.md | verdict "docs: options"
grep -oE '"catetube_[a-z_]+"' common/metrics.def | tr -d '"' | tables |
  absent "${documents[@]}" | verdict "docs: metrics"
{ grep -ohE '\{"[a-z]+\.[a-z_]+"' worker/tasks.c || true; } | tr -d '{"' |
  grep -v '^test\.' | tables | absent "${documents[@]}" |
  verdict "docs: tasks"
# Paths are put together by macros: ask the preprocessor.
gcc -E -P -I. fcgi/routes.c | tr '\n' ' ' |
  grep -oE '\.pattern = ("[^"]*" *)+' |
  sed -E 's/^[^"]*"//; s/" *"//g; s/" *$//' | sort -u | tables |
  absent "${documents[@]}" | verdict "docs: routes"

# SECURITY.md names tests by path; those "under way: RING/FILE" are not here yet.
{
  grep -oE 'tests/[a-z]+/[a-z_]+\.(c|py|sh)' docs/SECURITY.md | sort -u | tables |
    while read -r file; do
      [ -e "$file" ] || echo "docs/SECURITY.md: there is no $file"
    done
  grep -oE 'under way[^|;.]*: ([a-z]+/[a-z_]+\.(c|py|sh)(, )?)+' docs/SECURITY.md |
    grep -oE '[a-z]+/[a-z_]+\.(c|py|sh)' | sort -u | while read -r file; do
    [ ! -e "tests/$file" ] || echo "docs/SECURITY.md: tests/$file is here, not under way"
  done
} | verdict "docs: tests that SECURITY.md names"

# printed FILE PROGRAM...: what the program prints is the committed file.
printed() {
  if [ -x "$2" ]; then
    diff <("${@:2}") "$1" 2>&1 | head -40
  else
    echo "$2 is not built"
  fi
}

bin=${BUILD:-build}
printed systemd/catetube.env.sample "$bin/catetubectl" config sample |
  verdict "docs: sample environment (make samples)"
printed docs/openapi.yaml "$bin/catetube-fcgi" --openapi |
  verdict "docs: API document (make samples)"
