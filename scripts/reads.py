"""Says whether this Beaker reads a session that somebody else wrote.

The test sends JSON on standard input, one object per line, and each is answered
with one line:

    {"options": {...}, "cookie": "..."}
        the options of beaker.session.SessionObject, and a Cookie header.
        Answer: {"value": the session's 'marker' or null, "error": the repr of the
        exception, or null}

    {"libraries": true}
        Answer: the AES libraries that can be imported, a list of their modules

Nothing is saved.
"""
import json
import sys
import warnings

import beaker.session

PY2 = sys.version_info[0] == 2


def native(value):
    """JSON's text as the str of this Python, as an ini has it."""
    if PY2 and isinstance(value, unicode):  # noqa: F821
        return value.encode("utf-8")
    return value


def read(options, cookie):
    options = dict((native(k), native(v)) for k, v in options.items())
    session = beaker.session.SessionObject({"HTTP_COOKIE": native(cookie)}, **options)
    return session.get("marker")


def libraries():
    found = []
    for module in ["nss", "pycryptopp", "Crypto", "cryptography"]:
        try:
            __import__(module)
        except ImportError:
            continue
        found.append(module)
    return found


def main():
    warnings.simplefilter("ignore")
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        answer = {"value": None, "error": None}
        try:
            if "libraries" in request:
                answer = libraries()
                continue
            answer["value"] = read(request["options"], request["cookie"])
        except Exception as err:
            answer["error"] = repr(err)
        finally:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


main()
