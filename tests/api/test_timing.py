"""Whether an account exists cannot be told from how long an answer takes:
log-ins and reset requests of known and of unknown addresses, interleaved, by
the rank test of Mann and Whitney."""
import math
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../support"))
from joined import PASSWORD, Tally, client, registered, sql  # noqa: E402

SAMPLES = 200
FRESH_EACH = 3  # the back-off of an address begins at the fifth failure
P_LEAST = 0.01
t = Tally()


def rank_test(a, b):
    """Two-sided p of the samples being of one distribution, by the normal
    approximation with the correction for ties."""
    both = sorted([(x, 0) for x in a] + [(x, 1) for x in b])
    n, rank_sum, ties, i = len(both), 0.0, 0, 0
    while i < n:
        j = i
        while j < n and both[j][0] == both[i][0]:
            j += 1
        mean_rank = (i + 1 + j) / 2
        rank_sum += mean_rank * sum(1 for k in range(i, j) if not both[k][1])
        ties += (j - i) ** 3 - (j - i)
        i = j
    u = rank_sum - len(a) * (len(a) + 1) / 2
    mean = len(a) * len(b) / 2
    var = len(a) * len(b) / 12 * (n + 1 - ties / (n * (n - 1)))
    return math.erfc(abs(u - mean) / math.sqrt(var) / math.sqrt(2))


def self_test():
    rnd = random.Random(1)
    a = [rnd.gauss(20, 2) for _ in range(SAMPLES)]
    b = [rnd.gauss(20, 2) for _ in range(SAMPLES)]
    t.check(rank_test(a, b) > P_LEAST, "the test finds nothing where "
            "there is nothing")
    t.check(rank_test(a, [x + 1 for x in b]) < P_LEAST,
            "the test finds half a deviation")


def unknown():
    return f"f-{os.urandom(16).hex()}@example.test"


def measure(path, body, status, known, samples):
    """Milliseconds for known and unknown addresses, in random order."""
    c = client()
    plan = [(True, known[i // FRESH_EACH]) for i in range(samples)]
    strangers = [unknown() for _ in known]
    plan += [(False, strangers[i // FRESH_EACH]) for i in range(samples)]
    random.shuffle(plan)
    took = {True: [], False: []}
    for is_known, address in plan:
        begin = time.perf_counter()
        r = c.send("POST", path, dict(body, email=address))
        took[is_known].append((time.perf_counter() - begin) * 1000)
        assert r.status == status, (r.status, r.body)
    return took[True], took[False]


def accounts():
    """Fresh addresses: nothing counts against them yet."""
    return [registered().email for _ in range(-(-SAMPLES // FRESH_EACH))]


def compare(what, path, body, status, known=accounts, samples=SAMPLES):
    for attempt in (1, 2):
        a, b = measure(path, body, status, known(), samples)
        p = rank_test(a, b)
        print(f"  {what}: known {statistics.median(a):.3f} ms, unknown "
              f"{statistics.median(b):.3f} ms, p = {p:.3f}", flush=True)
        if p >= P_LEAST:
            break
    t.check(p >= P_LEAST, f"{what}: times do not tell")


def closed():
    """The same, of accounts that were closed."""
    known = accounts()
    sql("update account set status = 'deactivated', deactivated_at = now() "
        "where email in (" + ", ".join(f"'{a}'" for a in known) + ")")
    return known


self_test()
compare("log-in", "/api/auth/login", {"password": PASSWORD + "x"}, 401)
compare("reactivate", "/api/auth/reactivate", {"password": PASSWORD + "x"},
        401, closed, SAMPLES // 2)  # two hashes each
compare("forgot-password", "/api/auth/forgot-password", {}, 202)
sys.exit(t.end())
