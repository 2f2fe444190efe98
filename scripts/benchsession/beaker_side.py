"""Times Beaker on a directory of sessions; started by scripts/benchsession.

usage: beaker_side.py OPTIONS_JSON ROUNDS, with cookie headers on standard
input, one a line. Prints {"verify": ns, "load": ns, "load, change, save": ns}
for one session each: the best of the rounds.
"""
import json
import sys
import time

options = json.loads(sys.argv[1])
if "encrypt_key" not in options:
    # Where there is pycryptodome, Beaker takes its HMAC, which is slower than the
    # standard library's: let it have the faster one.
    sys.modules["Crypto"] = None

from beaker.session import SessionObject, SignedCookie  # noqa: E402

headers = sys.stdin.read().split("\n")[:-1]


KEY = "beaker.session.id"


def verify(header):
    secret = options.get("secret") or options["validate_key"]
    assert isinstance(SignedCookie(secret, input=header)[KEY].value, str)


def load(header):
    session = SessionObject({"HTTP_COOKIE": header}, **options)
    assert session["user_id"] == 4711


def save(header):
    session = SessionObject({"HTTP_COOKIE": header}, **options)
    session["n"] = session.get("n", 0) + 1
    session.save()
    session.persist()


def best(work):
    times = []
    for _ in range(int(sys.argv[2])):
        begin = time.perf_counter()
        for header in headers:
            work(header)
        times.append((time.perf_counter() - begin) / len(headers))
    return min(times) * 1e9


print(json.dumps({"verify": best(verify), "load": best(load), "load, change, save": best(save)}))
