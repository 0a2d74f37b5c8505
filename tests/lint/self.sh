#!/bin/bash
# The lint scripts find what they are for: each has to refuse a small tree
# that breaks its rule, and to accept the same tree without that.
here=$(cd "$(dirname "$0")" && pwd)
set -u
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

fresh() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{common,care,db,fcgi,worker,ctl,tests/lint,scripts,docs}
  printf '#include "common/a.h"\n\nint\na(void)\n{\n\treturn 1;\n}\n' \
    >"$tree/common/a.c"
  printf 'int a(void);\n' >"$tree/common/a.h"
  printf '#!/bin/bash\ntrue\n' >"$tree/scripts/s.sh"
  cp "$here/../../.clang-format" "$tree"
}

judge() { # name, wanted exit status, script
  LINT_ROOT=$tree bash "$here/$3.sh" >"$tree/out" 2>&1
  if [ $? = "$2" ]; then
    echo "ok self: $1"
  else
    failed=1
    echo "not ok self: $1"
    sed 's/^/    /' "$tree/out"
  fi
}

for s in floors doors size banned shell format; do
  fresh
  judge "$s accepts a clean tree" 0 $s
done

breaks() { # script, name, file, text added to it
  fresh
  mkdir -p "$(dirname "$tree/$3")"
  printf '%b' "$4" >>"$tree/$3"
  judge "$1 refuses $2" 1 "$1"
}
breaks floors 'a higher floor' common/a.c '#include "db/pg.h"\n'
breaks floors 'a neighbour' worker/w.c '#include "fcgi/req.h"\n'
breaks floors 'a name without its floor' fcgi/w.c '#include "req.h"\n'
breaks floors 'the tests' db/w.c '#include "tests/support/app.h"\n'
fresh
printf '#include <curl/curl.h>\n' >>"$tree/common/a.c"
printf '#include <curl/curl.h>\n' >"$tree/worker/mail.c"
judge 'doors refuses a second door' 1 doors
breaks doors 'libpq elsewhere' fcgi/w.c '#include <libpq-fe.h>\n'
breaks doors 'the libpq family elsewhere' fcgi/w.c '#include "db/pg_internal.h"\n'
breaks doors 'libcurl elsewhere' worker/w.c '#include "common/curl_internal.h"\n'
breaks size 'a long file' db/w.c "$(printf '\\n%.0s' $(seq 601))"
breaks size 'a long function' db/w.c \
  "int\nb(void)\n{\n$(printf '\ta();\\n%.0s' $(seq 60))}\n"
for word in strcpy strcat sprintf vsprintf strtok gmtime localtime alloca gets \
  system popen PQexec PQescapeLiteral rand; do
  breaks banned $word db/w.c "\tx = $word(y);\n"
done
breaks shell 'an unquoted variable' scripts/s.sh "rm -r \$1\n"
breaks format 'four spaces' common/a.c 'int\nb(void)\n{\n    return 2;\n}\n'

# Alert rules: the real ones, then one that names a metric of nobody's.
fresh
mkdir -p "$tree/deploy/prometheus"
cp "$here/../../deploy/prometheus/rules.yaml" "$tree/deploy/prometheus"
cp "$here/../../common/metrics.def" "$tree/common"
judge 'rules accepts the rules' 0 rules
sed -i 's/catetube_queues_up/catetube_queues_upp/' "$tree/deploy/prometheus/rules.yaml"
judge 'rules refuses a metric that is not there' 1 rules
exit $failed
