"""Runs verbs of a session in real Beaker under a clock that stands still.

The test sends JSON on standard input, one object per line, and each is answered
with one line:

    {"options": {...}, "dirs": [...]}
        a new application. The options are those of SessionMiddleware, without
        "session."; the records of each of the dirs come with every answer.
        Answer: {}
    {"now": 1700000000.25, "cookie": "...", "verbs": [{"verb": "set", "key": "a", "value": 1}, ...],
     "other": text or null}
        one request. Answer: {"set_cookie": text or null, "error": text or null,
        "results": [one for each verb], "records": [{id: record} for each dir],
        "payloads": [what its Set-Cookie and the other one hold, of cookie-only
        sessions]}

Only the names "time" and "datetime" in beaker.session are replaced, by ones
that tell the time of the request; everything else is Beaker's own.
"""
import copy
import datetime
import json
import os
import pickle
import sys
import time
import warnings

import beaker.session
from beaker.middleware import SessionMiddleware
from beaker.session import CookieSession, Session, SignedCookie

PY2 = sys.version_info[0] == 2
EPOCH = datetime.datetime(1970, 1, 1)


class Clock(object):
    """Stands for the module time."""

    now = 0.0

    def time(self):
        return self.now

    def __getattr__(self, name):
        return getattr(time, name)


CLOCK = Clock()


class _LikeDatetime(type):
    def __instancecheck__(cls, value):
        return isinstance(value, datetime.datetime)

    def __getattr__(cls, name):
        return getattr(datetime.datetime, name)

    def utcnow(cls):
        return EPOCH + datetime.timedelta(seconds=CLOCK.now)

    def now(cls, tz=None):
        if tz is None:
            raise NotImplementedError("local time")
        return cls.utcnow().replace(tzinfo=tz)


# Stands for the class datetime: the dates are real ones, only their time is not.
Datetime = _LikeDatetime("Datetime", (object,), {})


def native(value):
    """JSON's text as the str of this Python, as an application has it."""
    if PY2 and isinstance(value, unicode):  # noqa: F821
        return value.encode("utf-8")
    if isinstance(value, list):
        return [native(v) for v in value]
    if isinstance(value, dict):
        return dict((native(k), native(v)) for k, v in value.items())
    return value


def set_item(session, key, value):
    session[key] = value


def append(session, key, value):
    """Changes a list in place, if there is one."""
    found = session.get(key)
    if isinstance(found, list):
        found.append(value)


def remove(session, key):
    there = key in session
    if there:
        del session[key]
    return there


def persist(session):
    """As the middleware does it."""
    if session.accessed():
        session.persist()


VERBS = {
    # A copy, because a later verb may change the value in place.
    "get": lambda s, key, value: copy.deepcopy(s.get(key)),
    "set": set_item,
    "append": append,
    "remove": lambda s, key, value: remove(s, key),
    "save": lambda s, key, value: s.save(),
    "persist": lambda s, key, value: persist(s),
    "delete": lambda s, key, value: s.delete(),
    "invalidate": lambda s, key, value: s.invalidate(),
    "regenerate_id": lambda s, key, value: s.regenerate_id(),
    "clear": lambda s, key, value: s.clear(),
    "revert": lambda s, key, value: s.revert(),
    "load": lambda s, key, value: s.load(),
    "set domain": lambda s, key, value: setattr(s, "domain", value),
    "set path": lambda s, key, value: setattr(s, "path", value),
    "set samesite": lambda s, key, value: setattr(s, "samesite", value),
    "set secure": lambda s, key, value: setattr(s, "secure", True),
    "set httponly": lambda s, key, value: setattr(s, "httponly", True),
    "domain": lambda s, key, value: s.domain or "",
    "path": lambda s, key, value: s.path,
    "is_new": lambda s, key, value: s.is_new,
    "was_invalidated": lambda s, key, value: s.was_invalidated,
    # The property raises KeyError in a session that was cleared.
    "created": lambda s, key, value: s.get("_creation_time"),
    "last_accessed": lambda s, key, value: s.last_accessed,
    "len": lambda s, key, value: len(list(s)),
    "id": lambda s, key, value: s.id,
}


class Application(object):
    def __init__(self, options, dirs):
        self.dirs, self.verbs, self.results = dirs, [], []
        config = dict(("session." + k, v) for k, v in options.items())
        self.middleware = SessionMiddleware(self.handler, config)

    def handler(self, environ, start_response):
        session = environ["beaker.session"]
        for verb in self.verbs:
            run = VERBS[verb["verb"]]
            self.results.append(run(session, verb.get("key"), verb.get("value")))
        start_response("200 OK", [])
        return [b""]

    def request(self, now, cookie, verbs, other):
        CLOCK.now = now
        self.verbs, self.results = verbs, []
        answer = {"set_cookie": None, "error": None, "results": self.results}

        def start_response(status, headers, exc_info=None):
            for name, value in headers:
                if name.lower() == "set-cookie":
                    answer["set_cookie"] = value

        environ = {"HTTP_COOKIE": cookie} if cookie else {}
        try:
            self.middleware(environ, start_response)
        except Exception as e:
            answer["error"] = "%s: %s" % (type(e).__name__, e)
        answer["records"] = [self.records(d) for d in self.dirs]
        answer["payloads"] = [self.payload(c) for c in (answer["set_cookie"], other)]
        return answer

    def records(self, data_dir):
        """What the sessions in a directory hold, and whether Beaker stored the dict
        itself or a text."""
        found = {}
        for folder, _, names in os.walk(os.path.join(data_dir, "container_file")):
            for name in names:
                if name.endswith(".cache"):
                    with open(os.path.join(folder, name), "rb") as f:
                        stored = pickle.load(f)["session"]
                    form = "dict" if isinstance(stored, dict) else "text"
                    if form == "text":
                        stored = Session({}, use_cookies=False, **self.options())._decrypt_data(stored)
                    found[name[: -len(".cache")]] = {form: stored}
        return found

    def payload(self, set_cookie):
        """What a cookie-only session's cookie holds, but for "_expires", which
        Beaker up to 1.13 leaves there."""
        if set_cookie is None or self.middleware.options["type"] != "cookie":
            return None
        name, value = set_cookie.strip().split(";")[0].split("=", 1)
        signed = SignedCookie(self.middleware.options["validate_key"], input=str("%s=%s" % (name, value)))
        held = CookieSession({}, **self.options())._decrypt_data(signed[name].value)
        held.pop("_expires", None)
        return held

    def options(self):
        return dict((k, v) for k, v in self.middleware.options.items() if k != "use_cookies")


def main():
    warnings.simplefilter("ignore")
    beaker.session.time, beaker.session.datetime = CLOCK, Datetime
    application = None
    for line in iter(sys.stdin.readline, ""):
        command = native(json.loads(line))
        if "options" in command:
            application, answer = Application(command["options"], command["dirs"]), {}
        else:
            answer = application.request(command["now"], command["cookie"], command["verbs"], command["other"])
        sys.stdout.write(json.dumps(answer, sort_keys=True) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
