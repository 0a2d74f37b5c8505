#!/bin/bash
# Files of at most 600 lines, functions of at most 60. size.allow names the
# exceptions: "path" or "path function", with a reason in a comment.
. "$(dirname "$0")/lib.sh"

allowed() { grep -qxF -- "$1" tests/lint/size.allow 2>/dev/null; }

for f in $(all_c) $(find scripts tests -name '*.sh' -o -path scripts/stack); do
  n=$(wc -l <"$f")
  [ "$n" -le 600 ] || allowed "$f" || echo "$f has $n lines"
done | verdict "size: files"

all_c | ctags -L - -x --kinds-C=f --_xformat='%F %N %n %{end}' |
  awk '$4 - $3 + 1 > 60 { print $1, $2, $4 - $3 + 1 }' |
  while read -r f name n; do
    allowed "$f $name" || echo "$f: $name has $n lines"
  done | verdict "size: functions"
