"""What real Beaker says in Set-Cookie, for any options and at any time.

The standard input has one request a line, as JSON: {"options": {...}, "now":
1700000000.25, "id": "...", "cookie": "...", "verbs": [...]}. Each is a request
to an application of its own, in a SessionMiddleware with these options and a
store without a record. A session that gets a new id gets that one; the verbs are
those of scripts/verbs.py. The option cookie_expires may also be {"seconds": S}
for a timedelta and {"date": [year, month, ...]} for a datetime. The standard
output has the answers, a line each: [text of the header, error or null].

Run it with TZ=UTC: where Beaker prints local time it says that it is GMT.
"""
import datetime
import json
import os
import sys
import warnings

import beaker.session
from beaker.container import MemoryNamespaceManager
from beaker.middleware import SessionMiddleware
from beaker.util import SyncDict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import verbs  # noqa: E402


class Today(type(verbs.Datetime)):
    """Beaker up to 1.5 asks for the local time."""

    def today(cls):
        return cls.utcnow()


class FixedID(object):
    """The id of the request: a function of beaker.session, or up to Beaker 1.5 a
    hash of the time and the process."""

    value = ""

    def __call__(self, *data):
        return self

    def hexdigest(self):
        return self.value


def expires(option):
    if not isinstance(option, dict):
        return option
    if "date" in option:
        return datetime.datetime(*option["date"])
    return datetime.timedelta(seconds=option["seconds"])


def answer(request, new_id):
    """The text of Set-Cookie, and the error if there is one."""
    options = {"session." + name: value for name, value in request["options"].items()}
    options["session.cookie_expires"] = expires(request["options"].get("cookie_expires", True))
    new_id.value = request["id"]
    verbs.CLOCK.now = request["now"]
    MemoryNamespaceManager.namespaces = SyncDict()
    sent = []

    def application(environ, start_response):
        for verb in request["verbs"]:
            verbs.VERBS[verb["verb"]](environ["beaker.session"], verb.get("key"), verb.get("value"))
        start_response("200 OK", [])
        return []

    def start_response(status, headers, exc_info=None):
        sent.extend(value for name, value in headers if name.lower() == "set-cookie")

    try:
        SessionMiddleware(application, options)({"HTTP_COOKIE": request["cookie"]}, start_response)
    except Exception as e:
        return [None, "%s: %s" % (type(e).__name__, e)]
    return [", ".join(sent), None]


def main():
    warnings.simplefilter("ignore")
    new_id = FixedID()
    beaker.session.time = verbs.CLOCK
    beaker.session.datetime = Today("Datetime", (object,), {})
    if hasattr(beaker.session, "_session_id"):
        beaker.session._session_id = new_id.hexdigest
    else:
        beaker.session.md5 = new_id
    answers = []
    for line in sys.stdin.read().splitlines():
        answers.append(json.dumps(answer(verbs.native(json.loads(line)), new_id)) + "\n")
    sys.stdout.write("".join(answers))


if __name__ == "__main__":
    main()
