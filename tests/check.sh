#!/bin/bash
# Every ring of tests, on a throw-away stack of its own:
#
#   check.sh [--ring NAME]... [--asan] [--keep] [NAME...]
#
# --ring: only these of unit fcgi worker lint db job api interop golden fault fuzz
# --asan: the programs of the stack are the ASan + UBSan build
# --keep: leave logs and data behind (a failure does so anyway)
# NAME:   only test programs whose path contains one of the names
#
# Two programs run side by side. One line per program, then `N passed, N failed`
# alone on the last line.
set -uo pipefail
export LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 2
# A make that calls us must not hand its own flags down.
unset MAKEFLAGS MFLAGS MAKELEVEL
export BUILD=${BUILD:-build} ABUILD=${ABUILD:-build-asan} FBUILD=${FBUILD:-build-fuzz}
limit_s=${TEST_LIMIT_S:-300}
export ASAN_OPTIONS=detect_stack_use_after_return=1

all_rings=(unit fcgi worker lint db job api interop golden fault fuzz)
rings=() names=() keep=
while [ $# -gt 0 ]; do
  case $1 in
  --ring)
    rings+=("${2:?--ring takes a name}")
    shift
    ;;
  --asan) export ASAN=1 BUILD=build-asan-bin ;;
  --keep) keep=1 ;;
  -*)
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
  *) names+=("$1") ;;
  esac
  shift
done
[ ${#rings[@]} -gt 0 ] || rings=("${all_rings[@]}")
for r in "${rings[@]}"; do
  [[ " ${all_rings[*]} " == *" $r "* ]] || {
    echo "check: no ring $r; there are: ${all_rings[*]}" >&2
    exit 2
  }
done

work=$(mktemp -d /tmp/catetube-check.XXXXXX)
out=$work/out
mkdir "$out"
# The stack's user must reach its own directory below.
chmod 711 "$work"
# Every program's counts, a line each: the lanes below are shells of their own.
tally=$work/tally
: >"$tally"
lanes=()

end_tree() { # pid
  local pid
  for pid in $(pgrep -P "$1"); do
    end_tree "$pid"
  done
  kill "$1"
}

finish() {
  local passed failed pid
  trap '' INT TERM
  for pid in "${lanes[@]}"; do
    end_tree "$pid"
  done 2>/dev/null
  wait
  read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$tally")
  if [ $((passed + failed)) = 0 ]; then
    echo "check: no test was run"
    failed=1
  fi
  [ ! -d "$work/var" ] ||
    CATETUBE_VAR=$work/var scripts/stack down >"$out/down.log" 2>&1
  if [ -n "$keep" ] || [ "$failed" -gt 0 ]; then
    echo "check: logs are in $work"
  else
    rm -rf "$work"
  fi
  echo "$passed passed, $failed failed"
  # A bare exit in this trap would give the status from before it.
  exit $((failed > 0))
}
trap finish EXIT
trap 'echo 0 1 >>"$tally"; exit 1' INT TERM

report() { # name, passed, failed, seconds, log
  {
    flock 9
    printf '%-34s %4d passed, %d failed  %6.1f s\n' "$1" "$2" "$3" "$4"
    echo "$2 $3" >&9
    if [ "$3" -gt 0 ]; then
      tail -n "${TAIL:-40}" "$5" | sed 's/^/    | /'
    fi
  } 9>>"$tally"
}

# What a program's output says: cmocka's totals, lint's lines, or a last line
# "N passed, N failed". "passed failed", or nothing.
counts() {
  awk '
    /^\[  PASSED  \] [0-9]+ test/ { p += $4; seen = 1 }
    /^\[  FAILED  \] [0-9]+ test/ { f += $4; seen = 1 }
    /^ok / { p++; seen = 1 }
    /^not ok / { f++; seen = 1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { tp += $1; tf += $3; told = 1 }
    END {
      if (told) print tp + 0, tf + 0 # counts its own lines too
      else if (seen) print p + 0, f + 0
    }
  ' "$1"
}

run() { # ring, name, command...
  local name=$1/$2 log=$out/$1-$2.log begin=$EPOCHREALTIME rc p f
  shift 2
  timeout --kill-after=10 "$limit_s" "$@" >"$log" 2>&1 </dev/null
  rc=$?
  read -r p f < <(counts "$log") || p=0 f=0
  # Killed, out of time, a sanitizer's finding, or no test at all.
  if [ $rc != 0 ] && [ "$f" = 0 ]; then
    echo "exit status $rc" >>"$log"
    f=1
  elif [ "$p" = 0 ] && [ "$f" = 0 ]; then
    echo "it ran no test" >>"$log"
    f=1
  fi
  report "$name" "$p" "$f" \
    "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')" "$log"
}

wants() { # path
  local n
  [ ${#names[@]} -gt 0 ] || return 0
  for n in "${names[@]}"; do
    [[ $1 != *"$n"* ]] || return 0
  done
  return 1
}

has_ring() { [[ " ${rings[*]} " == *" $1 "* ]]; }

# The programs of one ring, as lines "name<tab>kind<tab>path".
programs() {
  local f
  for f in tests/"$1"/test_*.c tests/"$1"/test_*.py tests/"$1"/test_*.sh; do
    [ -e "$f" ] && wants "$f" && printf '%s\n' "$f"
  done
  if [ "$1" = lint ]; then
    for f in tests/lint/*.sh; do
      [ "$f" != tests/lint/lib.sh ] && wants "$f" && printf '%s\n' "$f"
    done
  fi
  return 0
}

build_all() {
  local begin=$EPOCHREALTIME r f targets=()
  for r in "${rings[@]}"; do
    while read -r f; do
      case $f in *.c) targets+=("$ABUILD/${f%.c}") ;; esac
    done < <(programs "$r")
  done
  if [ ${#targets[@]} -gt 0 ]; then
    # A program of an older build must not pass for one that does not compile.
    env -u ASAN make -k -j"$(nproc)" "${targets[@]}" >"$out/build-tests.log" 2>&1 ||
      report build-tests 0 1 0 "$out/build-tests.log"
  fi
  if has_ring fcgi || has_ring job || has_ring api || has_ring interop || has_ring golden ||
    has_ring fault || has_ring lint; then
    make -j"$(nproc)" all >"$out/build.log" 2>&1 ||
      report build 0 1 0 "$out/build.log"
  fi
  awk -v a="$begin" -v b="$EPOCHREALTIME" \
    'BEGIN { printf "built in %.1f s\n", b - a }'
}

free_port() {
  local p
  for _ in $(seq 100); do
    p=$((20000 + RANDOM % 12000))
    (: <"/dev/tcp/127.0.0.1/$p") 2>/dev/null || {
      echo $p
      return
    }
  done
}

stack_up= # by the lane that needs it
start_stack() {
  case $stack_up in
  yes) return 0 ;;
  failed) return 1 ;;
  esac
  # Nothing of the caller's own stack or options may leak in.
  local v
  for v in $(compgen -e | grep -E '^(CATETUBE_|PG[A-Z]+$|DATABASE_URL|REDIS_)'); do
    unset "$v"
  done
  export CATETUBE_VAR=$work/var CATETUBE_PORT
  CATETUBE_PORT=$(free_port)
  stack_up=yes
  # What lives as long as a program is no leak.
  [ "${ASAN:-}" != 1 ] || ASAN_OPTIONS+=:detect_leaks=0
  # The tests register an account each, all from one address.
  CATETUBE_TEST_TASKS=1 CATETUBE_LIMIT_AUTH=0 \
    CORS_ORIGINS=https://app.example.org timeout 600 scripts/stack up >"$out/up.log" 2>&1 || {
    report stack 0 1 0 "$out/up.log"
    stack_up=failed
    return 1
  }
}

# What goes before a command to run it with the environment in which a client
# joins the stack.
# shellcheck disable=SC2016 # for the inner shell
join=(bash -c '
  url=http://127.0.0.1:$CATETUBE_PORT env=$CATETUBE_VAR/env
  unset CATETUBE_VAR CATETUBE_PORT
  set -a; . "$env"; CATETUBE_TEST_URL=$url CATETUBE_FCGI=$BUILD/catetube-fcgi
  exec "$@"' join)

# The stack's Redis as Celery names it.
celery_url() {
  sed -nE "s/^REDIS_URL='unix:(.*)[?]db=(.*)'$/redis+socket:\1?virtual_host=\2/p" \
    "$CATETUBE_VAR/env"
}

# One program of a ring that needs no stack of ours, or all fuzzers.
run_one() { # ring, path
  local name with=()
  name=$(basename "${2%.*}")
  if [ "$1" = job ] && [ "$BUILD" != build ]; then
    with=(env CATETUBE_TEST_WORKER="$BUILD/catetube-worker")
  fi
  case $2 in
  fuzz) replay_fuzz ;;
  *.c) run "$1" "$name" "${with[@]}" "$ABUILD/${2%.c}" ;;
  # Debian's own python3: the packages belong to it.
  tests/fault/*.py) run "$1" "$name" /usr/bin/python3 "$2" --quick ;;
  *.py) run "$1" "$name" "${with[@]}" /usr/bin/python3 "$2" ;;
  *.sh) run "$1" "$name" "${with[@]}" bash "$2" ;;
  esac
}

# Those that share the stack, one after the other.
run_joined() {
  local r f name
  for r in api interop golden; do
    ! has_ring "$r" || while read -r f; do
      start_stack || return 0
      name=$(basename "${f%.*}")
      case $f in
      *.c) run "$r" "$name" "${join[@]}" "$ABUILD/${f%.c}" ;;
      tests/interop/*.py)
        run "$r" "$name" "${join[@]}" /usr/bin/python3 "$f" "$(celery_url)"
        ;;
      *.py) run "$r" "$name" "${join[@]}" /usr/bin/python3 "$f" ;;
      *.sh) run "$r" "$name" "${join[@]}" bash "$f" ;;
      esac
    done < <(programs "$r")
  done
}

# What is in the queue, while there is any: lines "ring path".
run_queued() {
  local r f
  while {
    flock 7
    read -r r f <&8
  } 7>"$work/queue.lock"; do
    run_one "$r" "$f" 8<&-
  done
}

# Each fuzzer once over its corpus and what it ever found.
replay_fuzz() {
  local f name
  for f in tests/fuzz/fuzz_*.c; do
    if [ ! -e "$f" ] || ! wants "$f"; then
      continue
    fi
    name=$(basename "${f%.c}")
    run fuzz "${name#fuzz_}" make --no-print-directory "replay-${name#fuzz_}"
  done
}

scripts/deps.sh --test || {
  echo 0 1 >>"$tally"
  exit 1
}
build_all
# Two at a time: most of what these do is wait. One lane begins with what shares
# the stack. What kills and floods has the machine to itself.
for r in unit fcgi worker lint db fuzz job; do
  if [ "$r" = fuzz ]; then
    ! has_ring fuzz || echo fuzz fuzz
  elif has_ring "$r"; then
    programs "$r" | sed "s/^/$r /"
  fi
done >"$work/queue"
exec 8<"$work/queue"
run_queued &
lanes+=($!)
{
  (run_joined)
  run_queued
} &
lanes+=($!)
wait "${lanes[@]}"
lanes=()
! has_ring fault || while read -r f; do
  run_one fault "$f"
done < <(programs fault)
