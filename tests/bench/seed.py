#!/usr/bin/env python3
"""Seed a database for the bench: accounts with a cat each, 180 days of
entries, sessions for all of them, and one account with a million meals. What
is there is kept; days that passed since are added.

Needs PGHOST and PGDATABASE; connects as the superuser postgres."""
import base64
import datetime
import hashlib
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ACCOUNTS = int(os.environ.get("BENCH_ACCOUNTS", "6000"))
DAYS = int(os.environ.get("BENCH_DAYS", "180"))
LONG = int(os.environ.get("BENCH_LONG", "1000000"))
PASSWORD = "bench-password-17"
HASH = ("$argon2id$v=19$m=19456,t=2,p=1$qr8G5rRWbWA+vLJ/8hg0ig"
        "$SbkDMZn2dKgvh3muJfp3vBnzG8GcRsduoGu+bc40ikg")
TABLES = ("feeding", "medication")
FAST = ("set session_replication_role = replica;"
        "set synchronous_commit = off;"
        "set wal_compression = off;"
        "set maintenance_work_mem = '1GB';"
        "set max_parallel_maintenance_workers = 0;")


def psql(sql, start_only=False):
    """Run SQL; its output, or the process with start_only."""
    env = dict(os.environ, PGUSER="postgres", PGOPTIONS="-c timezone=UTC"
               " -c client_min_messages=warning")
    p = subprocess.Popen(
        ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-"], env=env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write(sql)
    p.stdin.close()
    return p if start_only else finish(p)


def finish(p):
    out = p.stdout.read()
    if p.wait() != 0:
        sys.exit("seed: psql failed")
    return out.strip()


def lines(sql):
    return [line for line in psql(sql).split("\n") if line]


def token(n):
    """The same token for session n every time: these accounts are public."""
    digest = hashlib.blake2b(b"bench session %d" % n, digest_size=32).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def write_sessions(folder):
    """all.txt: a session of every account; 500.txt: of 500 spread over all;
    report.txt: of the account with the million meals."""
    def put(name, numbers):
        with open(os.path.join(folder, name), "w") as f:
            f.writelines(f"catetube={token(n)}\n" for n in numbers)
    step = max(1, ACCOUNTS // 500)
    put("all.txt", range(1, ACCOUNTS + 1))
    put("500.txt", list(range(1, ACCOUNTS + 1, step))[:500])
    put("report.txt", [ACCOUNTS + 1])


def sessions_sql():
    rows = []
    for n in range(1, ACCOUNTS + 2):
        digest = hashlib.blake2b(token(n).encode(), digest_size=32).hexdigest()
        rows.append(f"\\\\x{digest}\t{n}\n")
    return ("create temp table s (hash bytea, n integer);\n"
            "copy s from stdin;\n" + "".join(rows) + "\\.\n"
            "delete from account_session where token_hash in"
            " (select hash from s);\n"
            "insert into account_session (token_hash, account_id, expires_at)"
            " select hash, bench.account(n), now() + interval '80 days'"
            " from s;\n")


def parallel(first, last, tail=""):
    """Entries of all cats over two connections, one half of the cats each."""
    half = ACCOUNTS // 2
    jobs = [psql(f"{FAST} call bench.entries({lo}, {hi}, '{first}', '{last}');"
                 + extra, start_only=True)
            for lo, hi, extra in ((1, half, tail), (half + 1, ACCOUNTS, ""))]
    for job in jobs:
        finish(job)


def indexes():
    """Statements that drop the indexes of the tables; for each index one that
    makes it, which may run beside others of its table; what to do after."""
    names = ", ".join(f"'{t}'" for t in TABLES)
    drop, make, after = [], [], []
    for row in lines(f"""
        select i.indrelid::regclass, i.indexrelid::regclass,
          coalesce(c.contype, '-'), pg_get_indexdef(i.indexrelid)
        from pg_index i left join pg_constraint c on c.conindid = i.indexrelid
          and c.contype in ('p', 'u')
        where i.indrelid::regclass::text in ({names})
        order by pg_relation_size(i.indrelid), 2"""):
        table, name, kind, text = row.split("|", 3)
        make.append(text + ";")
        if kind == "-":
            drop.append(f"drop index {name};")
            continue
        drop.append(f"alter table {table} drop constraint {name};")
        word = {"p": "primary key", "u": "unique"}[kind]
        after.append(f"alter table {table} add constraint {name} {word}"
                     f" using index {name};")
    return drop, make, after


def fresh(today):
    first = today - datetime.timedelta(days=DAYS - 1)
    psql(f"{FAST} begin; call bench.accounts({ACCOUNTS}, '{HASH}'); commit;"
         "analyze bench.keeper;")
    drop, make, after = indexes()
    psql("".join(drop))
    parallel(first, today, f"call bench.long({ACCOUNTS + 1}, {LONG});")
    done = time.monotonic()
    jobs = [psql(FAST + "\n".join(make[k::2]), start_only=True)
            for k in (0, 1)]
    for job in jobs:
        finish(job)
    psql("".join(after))
    print(f"seed: indexes in {time.monotonic() - done:.0f} s",
          file=sys.stderr)
    psql(f"insert into bench.mark values ({ACCOUNTS}, {DAYS}, '{today}');")


def seed(folder):
    began = time.monotonic()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    with open(os.path.join(HERE, "seed.sql")) as f:
        psql(f.read())
    mark = psql("select accounts, days, last_day from bench.mark")
    if not mark:
        if psql("select count(*) from account where email like"
                " 'bench%@example.org'") != "0":
            sys.exit("seed: a seeding was cut short: remove the bench's stack"
                     " (rm -rf var-bench) and start again")
        fresh(today)
    else:
        accounts, _, last = mark.split("|")
        if int(accounts) != ACCOUNTS:
            sys.exit(f"seed: {accounts} accounts are there, not {ACCOUNTS}")
        last = datetime.date.fromisoformat(last)
        if last < today:
            parallel(last + datetime.timedelta(days=1), today)
            psql(f"update bench.mark set last_day = '{today}'")
    psql(sessions_sql())
    write_sessions(folder)
    if not mark:
        psql("vacuum analyze; checkpoint")
    n = psql("select sum(n_live_tup) from pg_stat_user_tables"
             " where relname in ('feeding', 'medication')")
    print(f"seed: {'kept' if mark else 'made'}, about {n} entries,"
          f" {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    seed(sys.argv[1])
