#!/bin/bash
# The systemd units are valid and stay as closed as they are: exposure at most
# 0.5 for the responders, which have no network, 1.3 for the worker.
. "$(dirname "$0")/lib.sh"

if ! command -v systemd-analyze >/dev/null; then
  echo "ok units # skipped: systemd-analyze is not installed"
  exit
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; exit $lint_failed' EXIT
cp systemd/*.service systemd/*.socket "$tmp"
# Verify looks for the programs, which need not be installed here.
sed -i -E 's#/usr/bin/catetube(ctl|-[a-z]+)#/usr/bin/true#' "$tmp"/*.service

{ systemd-analyze verify --man=no "$tmp"/* 2>&1 || true; } |
  grep -F catetube | verdict "units: verify"
for pair in fcgi:5 worker:13; do
  unit=systemd/catetube-${pair%:*}.service
  { systemd-analyze security --offline=yes --no-pager \
    --threshold="${pair#*:}" "$unit" >"$tmp/out" 2>&1 ||
    tail -n 1 "$tmp/out"; } | verdict "units: exposure of ${pair%:*}"
done
