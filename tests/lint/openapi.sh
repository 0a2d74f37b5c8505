#!/bin/bash
# The API document by Redocly's rules. The linter comes from npm once for each
# package-lock.json, into the build directory. Where there is no npm, or (not in
# CI) no registry, that is said and nothing is judged: tests/api/test_openapi.py
# checks references, schemas and examples with Debian's packages in any case.
. "$(dirname "$0")/lib.sh"

name="openapi: Redocly's rules"
from=tests/openapi
lock=$(sha256sum <$from/package-lock.json | cut -c1-12)
dir=${BUILD:-build}/openapi-lint-$lock

fetch() {
  [ ! -e "$dir/ready" ] || return 0
  rm -rf "$dir" && mkdir -p "$dir" || return 1
  cp $from/package.json $from/package-lock.json "$dir" &&
    timeout 120 npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund \
      --no-update-notifier --loglevel=error >"$dir/npm.log" 2>&1 &&
    touch "$dir/ready"
}

# A lock that names a registry would work from one place only.
grep -n '"resolved"' $from/package-lock.json |
  verdict "openapi: no registry in the lock"

if ! command -v npm >/dev/null; then
  echo "ok $name (not run: no npm here)"
elif fetch; then
  cp $from/lint.js "$dir"
  node "$dir/lint.js" docs/openapi.yaml 2>&1 | verdict "$name"
elif [ -n "${CI:-}" ]; then
  { echo "npm ci failed" && tail -5 "$dir/npm.log"; } | verdict "$name"
else
  echo "ok $name (not run: npm ci failed, see $dir/npm.log)"
fi
