"""The bench's table: each target, what was measured, whether it was met.

Ratios against a limit come from one run. `peer` is the original's figure as
recorded on another day on a machine of this class: it serves as a scale."""

import statistics

# name, title, limit, least ratio, original's req/s, least factor
SPEED = (
    ("warm", "GET today, warm", "limit_gate", 0.80, 449, 60),
    ("revalidated", "GET today, 304", "warm", 1.0, 449, 60),
    ("cold", "GET today, cold", "gate_select", 0.75, 449, 25),
    ("listing", "GET feeding, 50 a page", "select_list", 0.5, 247, 20),
    ("add", "POST feeding", "insert", 0.60, 182, 25),
    ("mix", "mix 80/10/10, 64 clients", None, None, 360, 30),
    ("crowd", "2,000 clients, 3,333/s", None, None, None, None),
    ("login", "log-in", "verify", 0.8, 17, 3),
    ("report", "CSV of 1M rows (rows/s)", "copy", 0.5, 40000, 15),
    ("sheet", "XLSX of 1M rows (rows/s)", None, None, 11900, 10),
    ("jobs", "no-op jobs", "ping", 0.3, None, None),
    ("celery", "no-op jobs by Celery", None, None, None, None),
)
# title, path into the result, most
MOST = (
    ("2,000 clients: p99 ms", ("crowd", "p99_ms"), 50),
    ("2,000 clients: failed", ("crowd", "failed"), 0),
    ("mix: p99 ms", ("mix", "p99_ms"), 26.3),
    ("mix: failed", ("mix", "failed"), 0),
    ("CSV: peak RSS MiB", ("report", "peak_rss_mib"), 32),
    ("XLSX: peak RSS MiB", ("sheet", "peak_rss_mib"), 64),
    ("job, enqueue to result: p50 ms", ("jobs", "p50_ms"), 1.0),
    ("job, enqueue to start: p50 ms", ("jobs", "start_p50_ms"), 1.0),
)
# title, ours, Celery's in the same round, least or most of the ratio
PEER = (
    ("jobs consumed, times Celery", "consume_rps", "consume_rps", 5, None),
    ("jobs enqueued, times Celery", "enqueue_rps", "send_rps", 5, None),
    ("idle worker: CPU, of Celery's", "idle_cpu_percent", "idle_cpu_percent",
     None, 0.25),
    ("idle worker: PSS, of Celery's", "idle_pss_mib", "idle_pss_mib", None,
     0.25),
)
# Figures besides the rate of which each round is kept.
ROUNDS = ("ping_rps", "consume_rps", "enqueue_rps", "send_rps",
          "idle_cpu_percent", "idle_pss_mib")
GOAL_RPS = 33333  # two million requests a minute
PEER_PSS_MIB = 359


def rates(result, name):
    """A measurement's rate in each round; of a limit made up of others, too.
    Empty where it was not measured."""
    if name == "gate_select":
        # One request does both: on busy cores their costs add up.
        return [1 / (1 / gate + 1 / select) for gate, select in zip(
            rates(result, "cold_gate"), rates(result, "select_today"))]
    if name == "ping":
        return result.get("jobs", {}).get("rounds_ping_rps", [])
    return result.get(name, {}).get("rounds_rps", [])


def against(result, name, limit):
    """The limit's middle rate, and the middle of the ratios round by round:
    what drifts between rounds drops out."""
    tops = rates(result, limit) if limit else []
    if not tops:
        return None, None
    return statistics.median(tops), statistics.median(
        ours / top for ours, top in zip(rates(result, name), tops))


def verdict(good):
    return "ok" if good else "miss"


def rows(result):
    out = []
    for name, title, limit, least, peer, factor in SPEED:
        r = result.get(name)
        if r is None:
            continue
        top, ratio = against(result, name, limit)
        times = r["rps"] / peer if peer else None
        good = ((least is None or ratio is None or ratio >= least)
                and (times is None or times >= factor)
                and r["failed"] == 0)
        out.append({
            "title": title, "rps": r["rps"], "limit_rps": top, "ratio": ratio,
            "least": least, "peer_times": times, "peer_least": factor,
            "p50_ms": r["p50_ms"], "p99_ms": r["p99_ms"],
            "failed": r["failed"], "verdict": verdict(good)})
    if "warm" in result:
        rps = result["warm"]["rps"]
        out.append(plain("GET today, warm: req/s", rps, f">= {GOAL_RPS}",
                         rps >= GOAL_RPS))
    for title, (name, key), most in MOST:
        if name in result:
            v = result[name][key]
            out.append(plain(title, v, f"<= {most}", v <= most))
    for title, ours, theirs, least, most in PEER:
        both = list(zip(result.get("jobs", {}).get("rounds_" + ours, []),
                        result.get("celery", {}).get("rounds_" + theirs, [])))
        if not both:
            continue
        ratio = statistics.median(a / max(b, 0.001) for a, b in both)
        out.append(plain(
            title, ratio, f">= {least}" if least else f"<= {most}",
            ratio >= least if least else ratio <= most))
    for when, groups in result.get("memory", {}).items():
        pss = sum(groups[g]["pss_mib"] for g in ("fcgi", "worker"))
        out.append(plain(f"PSS of the C processes, {when}: MiB", pss,
                         f"<= {PEER_PSS_MIB / 10}", pss <= PEER_PSS_MIB / 10))
    return out


def plain(title, value, target, good):
    return {"title": title, "value": value, "target": target,
            "verdict": verdict(good)}


def num(v, form="{:,.0f}"):
    return "-" if v is None else form.format(v)


def show(result):
    for name, title in (("limit_nginx", "nginx return 200"),
                        ("limit_bare", "bare front loop"),
                        ("limit_gate", "bare front loop + gate script"),
                        ("select_today", "SQL of today, 16 clients"),
                        ("select_list", "SQL of the list, 16 clients"),
                        ("insert", "SQL of POST feeding, 16 clients"),
                        ("verify", "argon2id on every core"),
                        ("copy", "COPY of 1M rows (rows/s)")):
        if name in result:
            r = result[name]
            print(f"limit  {title:34} {num(r['rps']):>10}/s   p50"
                  f" {num(r['p50_ms'], '{:.2f}')}"
                  f"  p99 {num(r['p99_ms'], '{:.2f}')} ms")
    print(f"\n{'':30} {'req/s':>9} {'limit':>9} {'ratio':>6} {'want':>5}"
          f" {'x orig':>7} {'want':>5} {'p50':>7} {'p99':>7} {'failed':>6}")
    for row in result["table"]:
        if "target" in row:
            continue
        print(f"{row['title']:30} {num(row['rps']):>9}"
              f" {num(row['limit_rps']):>9} {num(row['ratio'], '{:.2f}'):>6}"
              f" {num(row['least'], '{:.2f}'):>5}"
              f" {num(row['peer_times'], '{:.0f}'):>7}"
              f" {num(row['peer_least']):>5}"
              f" {num(row['p50_ms'], '{:.2f}'):>7}"
              f" {num(row['p99_ms'], '{:.2f}'):>7} {row['failed']:>6}"
              f"  {row['verdict']}")
    print()
    for row in result["table"]:
        if "target" in row:
            print(f"{row['title']:44} {num(row['value'], '{:,.2f}'):>12}"
                  f"  {row['target']:>10}  {row['verdict']}")
    print(f"\n{'memory, MiB':12}" + "".join(
        f" {g:>18}" for g in ("nginx", "fcgi", "worker", "postgres", "redis")))
    for when, groups in result.get("memory", {}).items():
        print(f"{when:12}" + "".join(
            f" {g['rss_mib']:8.1f} {g['pss_mib']:5.1f} PSS"
            for g in groups.values()))
