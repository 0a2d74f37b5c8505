#!/bin/bash
# A file includes its own floor or lower ones, by their full names.
. "$(dirname "$0")/lib.sh"

may() {
  case $1 in
  common) echo common ;;
  care) echo common care ;;
  db) echo common care db ;;
  *) echo common care db "$1" gen ;; # gen: made by the Makefile
  esac
}

for floor in common care db fcgi worker ctl; do
  [ -d $floor ] || continue
  grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' \
    $floor | awk -v may=" $(may $floor) " -F'"' '{
      split($2, part, "/")
      if (index($2, "/") == 0 || index(may, " " part[1] " ") == 0)
        print $1 "\"" $2 "\""
    }' | verdict "floors: $floor"
done
