#!/bin/bash
# Every script of ours passes shellcheck.
. "$(dirname "$0")/lib.sh"

if ! command -v shellcheck >/dev/null; then
  echo "shellcheck is not installed" | verdict "shell: shellcheck"
  exit
fi
{
  find scripts tests web deploy debian -name '*.sh' -not -path '*/node_modules/*'
  grep -rlE '^#!.*\b(ba)?sh\b' scripts .ci
} 2>/dev/null | sort -u |
  xargs shellcheck -x -P SCRIPTDIR -f gcc | verdict "shell: shellcheck"
