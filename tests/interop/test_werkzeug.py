"""Accounts whose password hashes werkzeug made log in, and get argon2id.

Joins the stack by its environment (DATABASE_URL, CATETUBE_TEST_URL). Prints a
line per test and ends with "N passed, N failed".
"""
import hashlib
import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid

from werkzeug.security import check_password_hash, generate_password_hash

BASE = os.environ["CATETUBE_TEST_URL"]
ORIGIN = os.environ.get("CATETUBE_ORIGIN", BASE)
PASSWORD = "K\u00e4se-Kroketten 7"


def scrypt(password, n=32768, r=8, p=1, salt="Xy7kQ0aLmN3pR5tV"):
    """As werkzeug 2.3 and later do it; Debian has 2.2."""
    digest = hashlib.scrypt(password.encode(), salt=salt.encode(), n=n, r=r,
                            p=p, maxmem=132 * n * r * p + 2**20)
    return f"scrypt:{n}:{r}:{p}${salt}${digest.hex()}"


def ask(path, body):
    request = urllib.request.Request(
        BASE + path, json.dumps(body).encode(),
        {"Content-Type": "application/json", "Origin": ORIGIN})
    try:
        with urllib.request.urlopen(request, timeout=20) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def sql(text):
    return subprocess.run(
        ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d",
         os.environ["DATABASE_URL"], "-c", text],
        check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Imported:
    """An account that came with that hash."""

    def __init__(self, password_hash):
        self.email = f"w-{uuid.uuid4()}@example.test"
        status, _ = ask("/api/auth/register", {
            "email": self.email, "password": "nine cold syringes",
            "first_name": "Ada"})
        assert status == 201, status
        sql(f"update account set password_hash = $h${password_hash}$h$"
            f" where email = '{self.email}'")

    def log_in(self, password):
        return ask("/api/auth/login",
                   {"email": self.email, "password": password})

    def stored(self):
        return sql(f"select password_hash from account"
                   f" where email = '{self.email}'")


def imported(password_hash):
    one = Imported(password_hash)
    status, said = one.log_in(PASSWORD + "x")
    assert (status, said["code"]) == (401, "credentials"), (status, said)
    assert one.stored() == password_hash
    status, said = one.log_in(PASSWORD)
    assert status == 200, (status, said)
    assert one.stored().startswith("$argon2id$"), one.stored()
    status, said = one.log_in(PASSWORD)
    assert status == 200, (status, said)


def pbkdf2_default():
    made = generate_password_hash(PASSWORD)
    assert made.startswith("pbkdf2:sha256:260000$"), made
    imported(made)


def pbkdf2_of_later_versions():
    made = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000000", 16)
    assert check_password_hash(made, PASSWORD)
    imported(made)


def scrypt_default():
    imported(scrypt(PASSWORD))


def what_is_no_hash():
    """Refused like a wrong password, nothing more."""
    made = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
    for bad in (made[:-1], made + "00", made.replace("1000", "2000001"),
                made.replace("sha256", "sha1"), "", "x", "$$",
                scrypt(PASSWORD, 2, 1, 1).replace(":2:1:1", ":2:1:9999999")):
        one = Imported(bad)
        status, said = one.log_in(PASSWORD)
        assert (status, said["code"]) == (401, "credentials"), (bad, said)
        assert one.stored() == bad


def main():
    passed = failed = 0
    for test in (pbkdf2_default, pbkdf2_of_later_versions, scrypt_default,
                 what_is_no_hash):
        try:
            test()
            passed += 1
            print("ok", test.__name__)
        except Exception as e:  # every failure is told, then the next runs
            failed += 1
            print("not ok", test.__name__, repr(e))
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
