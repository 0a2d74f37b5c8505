#!/bin/bash
# Each third-party header is included by one file. libpq and hiredis have a
# family: their doors are db/pg_internal.h, for db/pg.c, db/pg_*.c and what sets
# up a schema, and common/redis_internal.h, for common/redis*.c. libcurl's is
# common/curl_internal.h, for one file for each protocol.
. "$(dirname "$0")/lib.sh"

system='(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|getopt|glob|grp'
system+='|inttypes|limits|locale|math|netdb|poll|pthread|pwd|regex|sched'
system+='|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool'
system+='|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios'
system+='|threads|time|unistd|(sys|linux|netinet|net|arpa|sanitizer)/[a-z_0-9]+)[.]h'

third_party() { # "file header" lines of C files under the directories
  grep -rnoE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*<[^>]+>' \
    "$@" 2>/dev/null | sed -E 's/^([^:]+):[0-9]+:[^<]*<([^>]+)>/\1 \2/' |
    grep -vE " $system$"
}

third_party common care db fcgi worker ctl | sort -u | awk '
  { n[$2]++; files[$2] = files[$2] " " $1 }
  END { for (h in n) if (n[h] > 1) print h " is included by" files[h] }
' | sort | verdict "doors: one file per library header"

grep -rlE --include='*.[ch]' 'include[[:space:]]*[<"]libpq-fe[.]h' . |
  grep -vE '^[.]/(tests/|db/pg_internal[.]h$|db/pg(_[a-z]+)?[.]c$)' |
  verdict "doors: libpq only in db/pg"
grep -rlE --include='*.[ch]' 'db/pg_internal[.]h' . |
  grep -vE "^[.]/(tests/|db/(pg(_[a-z]+)?|migrate|verify)[.][ch]$)" |
  verdict "doors: pg_internal.h only in db/pg, migrate, verify"
grep -rlE --include='*.[ch]' 'common/redis_internal[.]h' . |
  grep -vE "^[.]/(tests/|common/redis(_reply)?[.]c$)" |
  verdict "doors: redis_internal.h only in common/redis, redis_reply"
grep -rlE --include='*.[ch]' 'common/curl_internal[.]h' . |
  grep -vE "^[.]/(tests/|common/(curl|s3)[.]c$|worker/(post|smtp)[.]c$)" |
  verdict "doors: curl_internal.h only in common/curl, s3, worker/post, smtp"
