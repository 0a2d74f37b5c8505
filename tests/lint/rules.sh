#!/bin/bash
# Alert rules name metrics that there are, and are YAML of the right shape.
. "$(dirname "$0")/lib.sh"

rules=deploy/prometheus/rules.yaml
sed -nE 's/^ *expr: (.*)/\1/p; /expr: >/,/labels/p' "$rules" |
  grep -oE 'catetube_[a-z_]+' | sort -u | while read -r name; do
  base=${name%_bucket}
  grep -qF "\"$base\"" common/metrics.def ||
    echo "$rules: there is no metric $name"
done | verdict "rules: metrics"

/usr/bin/python3 - "$rules" <<'EOT' 2>&1 | verdict "rules: shape"
import sys, yaml
seen = set()
for group in yaml.safe_load(open(sys.argv[1]))["groups"]:
    for rule in group["rules"]:
        name = rule["alert"]
        if name in seen:
            print(f"{name} is there twice")
        seen.add(name)
        if not rule["annotations"]["summary"].strip():
            print(f"{name} has no summary")
        if rule["labels"]["severity"] not in ("page", "ticket"):
            print(f"{name} has an unknown severity")
        if rule["expr"].count("(") != rule["expr"].count(")"):
            print(f"{name}: parentheses do not match")
if len(seen) < 10:
    print(f"only {len(seen)} rules")
EOT
