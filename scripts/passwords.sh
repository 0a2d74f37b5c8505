#!/bin/bash
# Make common/passwords.txt anew from Debian's python3-django, which ships a
# list of about 20,000 common passwords (BSD-3-Clause; compiled by Royce
# Williams from published breaches): passwords.sh >common/passwords.txt
#
# What a new password could never be, for its length, is left out. The package
# is fetched and unpacked, not installed.
set -euo pipefail
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download python3-django >&2
dpkg-deb -x ./*.deb .
zcat usr/lib/python3/dist-packages/django/contrib/auth/common-passwords.txt.gz |
  tr '[:upper:]' '[:lower:]' | grep -E '^.{8,}$' | sort -u
