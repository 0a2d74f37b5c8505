#!/bin/bash
# Functions that have no safe use here.
. "$(dirname "$0")/lib.sh"

calls() { # words, on standard input the files
  xargs grep -nE "(^|[^a-zA-Z0-9_>.\"])($1)[[:space:]]*\(" /dev/null |
    grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)'
}
all_c | calls 'strcpy|strcat|sprintf|vsprintf|strtok|gmtime|localtime|alloca|gets' |
  verdict "banned: unsafe functions"
product c h | calls 'system|popen' | verdict "banned: shells"

product c h | calls 'PQexec|PQescape[A-Za-z]*' |
  verdict "banned: SQL that is put together from text"
product c h | calls 'rand|random|srand|srandom|drand48' |
  verdict "banned: weak randomness"
