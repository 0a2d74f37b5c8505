#!/bin/bash
# Both nginx configurations are valid, every block that adds a header has the
# security headers too, and what nginx answers by itself is JSON with them.
. "$(dirname "$0")/lib.sh"

nginx=$(command -v nginx || echo /usr/sbin/nginx)
if [ ! -x "$nginx" ]; then
  echo "$nginx is not installed" | verdict "nginx: configuration"
  exit
fi
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$tmp"; exit $lint_failed' EXIT
mkdir -p "$tmp/conf" "$tmp/nginx-tmp" "$tmp/log" "$tmp/run"
cp nginx/*.conf "$tmp/conf"
socket=$tmp/http
sed -e "s|@HOME@|$tmp|g; s|listen 127.0.0.1:@PORT@|listen unix:$socket|" \
  nginx/nginx-dev.conf.in >"$tmp/conf/dev.conf"

# As the stack does: an ordinary user begins with 1,024 files.
ulimit -Sn "$(ulimit -Hn)"
test_conf() {
  "$nginx" -t -q -e stderr -p "$tmp" -c "$tmp/conf/$1" 2>&1 |
    grep -E 'emerg|crit|alert|error|warn' | grep -v '"user" directive'
}
test_conf dev.conf | verdict "nginx: development configuration"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -subj /CN=catetube.example.org -days 2 -keyout "$tmp/key.pem" \
  -out "$tmp/cert.pem" 2>/dev/null
sed -i -e "s|/etc/ssl/catetube/fullchain.pem|$tmp/cert.pem|" \
  -e "s|/etc/ssl/catetube/privkey.pem|$tmp/key.pem|" \
  -e "s|/var/log/nginx|$tmp/log|" \
  -E -e 's/^( *listen (\[::\]:)?)(80|443)\>/\128\3/' \
  "$tmp/conf/catetube-site.conf"
cat >"$tmp/conf/site.conf" <<EOF
pid $tmp/run/pid;
events { }
http { access_log off; include /etc/nginx/mime.types; include catetube-site.conf; }
EOF
test_conf site.conf | verdict "nginx: production configuration"

# add_header in a block drops what it would inherit.
for f in nginx/*.conf nginx/*.in; do
  [ "$f" != nginx/catetube-headers.conf ] || continue
  awk -v f="$f" '
    /^[ \t]*#/ { next }
    /\{[ \t]*$/ { depth++; adds[depth] = has[depth] = 0; where[depth] = FNR }
    /^[ \t]*add_header/ { adds[depth] = 1 }
    /include .*catetube-headers[.]conf/ { has[depth] = 1 }
    /^[ \t]*\}/ {
      if (adds[depth] && !has[depth])
        print f ":" where[depth] ": add_header without the security headers"
      depth--
    }
  ' "$f"
done | verdict "nginx: security headers in every block"

# No responder is there: 502 has to come out as 503 with Retry-After.
"$nginx" -e stderr -p "$tmp" -c "$tmp/conf/dev.conf" -g 'daemon off;' \
  2>"$tmp/log/own" &
pid=$!
for _ in $(seq 100); do
  [ ! -S "$socket" ] || break
  sleep 0.05
done
long=$(printf '%09000d' 0)
want() { # status code, then what curl takes
  local status=$1 code=$2 text
  shift 2
  text=$(curl -s -m 5 -i --unix-socket "$socket" "$@" | tr -d '\r')
  {
    grep -q "^HTTP/1.1 $status" <<<"$text" || echo "status: $(head -1 <<<"$text")"
    grep -q "\"code\":\"$code\",\"request_id\":\"[0-9a-f]\{32\}\"}$" <<<"$text" ||
      echo "body: $(tail -1 <<<"$text")"
    local h
    for h in 'content-type: application/json' 'x-content-type-options: nosniff' \
      'cache-control: no-store' 'content-security-policy: ' 'x-request-id: ' \
      'x-frame-options: DENY' 'referrer-policy: '; do
      [ "$(grep -ci "^$h" <<<"$text")" = 1 ] || echo "header $h"
    done
    [ "$status" != 503 ] || grep -q '^Retry-After: 5$' <<<"$text" ||
      echo "no Retry-After"
    ! grep -qiE '^server: nginx/|strict-transport' <<<"$text" ||
      echo "header too many"
  } | verdict "nginx: answers $status by itself"
}
want 503 unavailable http://x/api/
want 503 unavailable -d '{}' http://x/api/feeding/
want 413 too_big -d "$(printf '%070000d' 0)" http://x/api/feeding/
want 414 uri_too_long "http://x/$long"
want 431 headers_too_large -H "X-Long: $long" http://x/
want 405 method -X TRACE http://x/
want 400 malformed -H 'Authorization: a' -H 'Authorization: b' http://x/api/
want 404 not_found http://x/_files/report.csv
