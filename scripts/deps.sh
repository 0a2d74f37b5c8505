#!/bin/bash
# Install the missing Debian packages of scripts/packages.txt: deps.sh [--test].
# Installing a server must neither start it nor make a cluster: the stack has
# its own. Both guards are taken away again however this ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rings=${1:-}

wanted() {
  local package for_tests command
  sed -e 's/#.*//' "$here/packages.txt" |
    while read -r package for_tests command; do
      if [ -z "$package" ] ||
        { [ -n "$for_tests" ] && [ "$rings" != --test ]; } ||
        { [ -n "$command" ] && command -v "$command" >/dev/null; }; then
        continue
      fi
      echo "$package"
    done | sort
}

# shellcheck disable=SC2016 # dpkg-query's own variables
installed() {
  wanted | xargs dpkg-query -W -f '${Package} ${db:Status-Status}\n' \
    2>/dev/null | awk '$2 == "installed" { print $1 }' | sort
}

if ! command -v dpkg-query >/dev/null; then
  echo "deps: not a Debian system; it needs (Debian's names):" \
    "$(wanted | xargs)" >&2
  exit 1
fi
mapfile -t need < <(comm -23 <(wanted) <(installed))
[ ${#need[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    echo "deps: installing with sudo: ${need[*]}"
    exec sudo "$here/deps.sh" ${rings:+"$rings"}
  fi
  echo "deps: missing packages; as root: apt-get install ${need[*]}" >&2
  exit 1
fi

policy=/usr/sbin/policy-rc.d
cluster_dir=/etc/postgresql-common/createcluster.d
made=("$cluster_dir/catetube-setup.conf")
# shellcheck disable=SC2317 # called by the trap
clean() {
  rm -f "${made[@]}"
  rmdir --ignore-fail-on-non-empty "$cluster_dir" 2>/dev/null || true
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

if [ ! -e "$policy" ]; then
  made+=("$policy")
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
mkdir -p "$cluster_dir"
echo 'create_main_cluster = false' >"${made[0]}"

echo "deps: installing ${need[*]}"
export DEBIAN_FRONTEND=noninteractive
apt="timeout 900 apt-get -o DPkg::Lock::Timeout=120 -qq"
$apt update
$apt install -y --no-install-recommends "${need[@]}" >/dev/null
