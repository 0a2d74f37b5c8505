#!/bin/bash
# Write files as C string tables: embed.sh lua|sql|words FILE... >out.c
set -euo pipefail

kind=$1
shift

# One C string literal per line of input, quotes and backslashes escaped.
literal() {
  awk '{
    gsub(/\\/, "\\\\\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t")
    printf "\t    \"%s\\n\"\n", $0
  }' "$1"
}

case $kind in
lua)
  echo '#include "common/redis.h"'
  echo 'struct ct_script ct_scripts[] = {'
  for f in "$@"; do
    printf '\t{\n\t    "%s",\n' "$(basename "$f" .lua)"
    literal "$f"
    printf '\t    , 0, ""},\n'
  done
  echo '	{NULL, "", 0, ""},'
  echo '};'
  echo "const size_t ct_scripts_n = $#;"
  ;;
sql)
  echo '#include "db/migrate.h"'
  echo 'const struct ct_migration ct_migrations[] = {'
  for f in "$@"; do
    name=$(basename "$f")
    printf '\t{%d, "%s",\n' "$((10#${name%%_*}))" "$name"
    literal "$f"
    printf '\t},\n'
  done
  echo '	{0, NULL, ""},'
  echo '};'
  echo "const size_t ct_migrations_n = $#;"
  ;;
words) # one sorted list, a word a line
  echo '#include "common/password.h"'
  echo 'const char *const ct_common_passwords[] = {'
  sed -E 's/["\\]/\\&/g; s/.*/\t"&",/' "$1"
  echo '};'
  echo "const size_t ct_common_passwords_n = $(wc -l <"$1");"
  ;;
*)
  echo "usage: embed.sh lua|sql|words FILE..." >&2
  exit 2
  ;;
esac
