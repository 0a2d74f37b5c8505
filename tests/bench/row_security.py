#!/usr/bin/env python3
"""What row security as a second wall would cost: our own statements by pgbench
as the app's role, without policies and with two kinds of them, in turn.

    CATETUBE_VAR=DIR CATETUBE_PORT=PORT row_security.py [ROUNDS [SECONDS]]

makes a throw-away stack in DIR. Prints a table; docs/ROW_SECURITY.md has the
last one. The policies exist in that stack only."""
import os
import statistics
import sys
import tempfile

os.environ.setdefault("BENCH_ACCOUNTS", "500")
os.environ.setdefault("BENCH_DAYS", "60")
os.environ.setdefault("BENCH_LONG", "1000")
# As db/pg_conn.c connects.
os.environ.setdefault("PGOPTIONS", "-c timezone=UTC -c jit=off")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import seed  # noqa: E402
from lib import Pgbench, Stack, say  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
TABLES = ("feeding", "medication", "daily_target", "cat", "cat_member")
ACCOUNT, CAT = "bench.account(:n)", "bench.cat(:n)"
NULLS = ["null"] * 4
WORK = {
    "POST feeding": ([("feeding_add", [
        ACCOUNT, CAT, "2", "gen_random_uuid()", "null", "''", "40000", "null",
        "null", "null", "true", "true", "'tube'", "null", "false"])], True),
    "today, cold": ([("tracker_today", [ACCOUNT, CAT])], False),
    "list, cold": ([("feeding_list",
                     [ACCOUNT, CAT, *NULLS, "50", "0"])], False),
}
ME = "nullif(current_setting('ct.account', true), '')::uuid"
# An account sees its memberships, and the cats of those.
POLICIES = {
    "none": None,
    "subquery": "{cat} in (select m.cat_id from cat_member m"
                f" where m.account_id = {ME})",
    "function": "{cat} = any ((select bench.cats())::uuid[])",
}


def policies(kind):
    """Replace those of all tables; none: row security is off."""
    sql = []
    for table in TABLES:
        sql.append(f"drop policy if exists wall on {table};")
        rule = f"account_id = {ME}"
        if table != "cat_member" and POLICIES[kind]:
            rule = POLICIES[kind].format(
                cat=table + (".id" if table == "cat" else ".cat_id"))
        if kind == "none":
            sql.append(f"alter table {table} disable row level security,"
                       " no force row level security;")
            continue
        sql.append(f"create policy wall on {table} using ({rule})"
                   f" with check ({rule});"
                   f"alter table {table} enable row level security,"
                   " force row level security;")
    seed.psql("begin;" + "".join(sql) + "commit;")


def prepare():
    seed.psql(f"""
        grant usage on schema bench to catetube_app;
        create or replace function bench.cats() returns uuid[]
        language sql stable security definer as $$
          select array_agg(cat_id) from public.cat_member
          where account_id = {ME}
        $$;
        grant execute on all functions in schema bench to catetube_app;""")


def check():
    """The wall holds: as the app without an account nothing is there."""
    for kind in POLICIES:
        policies(kind)
        n = seed.psql("set role catetube_app; select count(*) from feeding;")
        mine = seed.psql(
            "set role catetube_app;"
            " select set_config('ct.account', bench.account(1)::text, false);"
            " select count(distinct cat_id) from feeding;").split("\n")[-1]
        if (n == "0") != (kind != "none") or (mine == "1") != (kind != "none"):
            sys.exit(f"row_security: {kind}: {n} rows without an account,"
                     f" {mine} cats with one")


def measure(pgbench):
    rps = {}
    for turn in range(ROUNDS):
        for kind in POLICIES:
            policies(kind)
            for name, (calls, lock) in WORK.items():
                r = pgbench(calls, lock=lock, user="catetube_app",
                            first="" if kind == "none" else
                            "select set_config('ct.account',"
                            f" {ACCOUNT}::text, true);")
                rps.setdefault((name, kind), []).append(r["rps"])
        say(f"round {turn + 1} of {ROUNDS}")
    return rps


def show(rps):
    kinds = list(POLICIES)[1:]
    print(f"{'median tps':14s} {'none':>9s}"
          + "".join(f" {k:>10s} {'ratio':>6s}" for k in kinds))
    for name in WORK:
        base = rps[name, "none"]
        line = f"{name:14s} {statistics.median(base):9.0f}"
        for kind in kinds:
            pairs = [b / a for a, b in zip(base, rps[name, kind])]
            line += (f" {statistics.median(rps[name, kind]):10.0f}"
                     f" {statistics.median(pairs):6.3f}")
        print(line)


def main():
    stack = Stack()
    stack.up()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            seed.seed(folder)
            prepare()
            check()
            show(measure(Pgbench(folder, seed.ACCOUNTS, SECONDS)))
            policies("none")
    finally:
        stack.down()


if __name__ == "__main__":
    main()
