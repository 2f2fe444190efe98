"""Asks this Python, or its Beaker, whether what `gobeaker convert` wrote is still the
session that it came from.

    python converted.py SCRIPTS pickle|json|dict|text|cookie ORIGINAL CONVERTED ...
    python converted.py SCRIPTS beaker ORIGINAL DATA_DIR ID

The first form takes any number of such threes. ORIGINAL is a .cache record without
encryption. A cookie is signed with the key "k".
SCRIPTS is the folder with taggedjson.py. Runs on Python 2.7 and 3.
"""
import base64
import hashlib
import hmac
import json
import pickle
import sys
import zlib

sys.path.insert(0, sys.argv[1])
import taggedjson  # noqa: E402


def read(path):
    with open(path, "rb") as f:
        return f.read()


def loads(data):
    if data[:1] == b"\x78":
        return json.loads(zlib.decompress(data).decode("utf-8"))
    return pickle.loads(data)


def decode(value):
    return value if isinstance(value, dict) else loads(base64.b64decode(value))


def from_cookie(data):
    text = data.strip()
    signature, payload = text[:40], text[40:]
    if hmac.new(b"k", payload, hashlib.sha1).hexdigest().encode("ascii") != signature:
        raise ValueError("bad signature")
    return decode(payload)


def from_beaker(data_dir, id):
    from beaker.session import Session

    session = Session({}, id=id, type="file", data_dir=data_dir, invalidate_corrupt=False)
    return dict((k, session[k]) for k in session if not k.startswith("_"))


def check(kind, original, converted, id=None):
    want = decode(pickle.loads(read(original))["session"])
    if kind == "beaker":
        got = from_beaker(converted, id)
        want = dict((k, v) for k, v in want.items() if not k.startswith("_"))
    elif kind == "pickle":
        got = loads(read(converted))
    elif kind == "json":
        got, want = json.loads(read(converted).decode("ascii")), json.loads(json.dumps(want))
    elif kind == "cookie":
        got = from_cookie(read(converted))
    else:
        value = pickle.loads(read(converted))["session"]
        if isinstance(value, dict) != (kind == "dict"):
            raise ValueError("it is a " + type(value).__name__)
        got = decode(value)
    if taggedjson.canonical(got) != taggedjson.canonical(want):
        raise ValueError("another session in %s, a %s" % (converted, kind))


def main(args):
    if args[0] == "beaker":
        check(*args)
    else:
        for i in range(0, len(args), 3):
            check(*args[i:i + 3])
    print("same")


if __name__ == "__main__":
    main(sys.argv[2:])
