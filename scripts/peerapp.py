"""A Python web application that keeps its users in Beaker sessions.

Nothing here knows of Go: it is the kind of application that has been running
for years, under an unmodified beaker.middleware.SessionMiddleware, on Python
2.7 or 3. The live tests start it, one process per Beaker release, and talk to
it over HTTP.

usage: python peerapp.py '{"type": "file", "data_dir": "...", "key": "sid"}'

The argument is a JSON object of Beaker's session options (beakeroptions.py).
The application listens on 127.0.0.1 on a free port and prints one line of JSON,
such as {"port": 40123, "python": "3.13.0", "beaker": "1.13.0"}; it ends when
its standard input is closed.

Bodies and answers are JSON; values are in tagged JSON (taggedjson.py).

    GET  /dump            the whole session, and what Beaker says of it
    GET  /untouched       answers without looking at the session
    GET  /get?key=K       one value
    POST /set?key=K       body: a value
    POST /update          body: a dict, merged into the session
    POST /compare         body: a dict; which keys differ, by type or value
    POST /delete?key=K    removes one key
    POST /increment?key=K adds 1 to a counter
    POST /login           body: a name; a new id, as one should do at a login
    POST /logout          session.delete()
    POST /invalidate      session.invalidate() and save()
    POST /regenerate      session.regenerate_id() and save()
    POST /objects         puts instances of the application's own classes in
    GET  /objects         are they what /objects put in?
    POST /samples?key=K   puts one value of every kind in, but for K
    GET  /samples?key=K   are they what /samples put in?
"""
import datetime
import decimal
import json
import os
import sys
import threading
import traceback
import uuid

import beaker
from beaker.middleware import SessionMiddleware

try:
    from urllib.parse import parse_qs
    from socketserver import ThreadingMixIn
except ImportError:  # Python 2
    from urlparse import parse_qs
    from SocketServer import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import taggedjson
from beakeroptions import made, native  # noqa: F401

# Instances are pickled by the name of their module. Run as a script the module
# would be "__main__"; an application's classes live in an importable one.
if __name__ == "__main__":
    sys.modules["peerapp"] = sys.modules["__main__"]


class Cart(object):
    """A plain class: its state is its __dict__."""

    def __init__(self, owner):
        self.owner = owner
        self.items = [("apple", 3), ("pear", 1)]
        self.note = None

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None


class User(dict):
    """A subclass of dict."""


class Slotted(object):
    """A class with slots, which needs to say itself what its state is."""

    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __getstate__(self):
        return {"a": self.a, "b": self.b}

    def __setstate__(self, state):
        self.a, self.b = state["a"], state["b"]

    def __eq__(self, other):
        return type(self) is type(other) and (self.a, self.b) == (other.a, other.b)

    __hash__ = None


class OldStyle:
    """On Python 2 a class of the old kind, with a pickle form of its own."""

    def __init__(self):
        self.kind = "old"

    def __eq__(self, other):
        return vars(self) == vars(other)

    __hash__ = None


for _class in (Cart, User, Slotted, OldStyle):
    _class.__module__ = "peerapp"


def own_objects():
    cart = Cart("ann")
    return {
        "cart": cart,
        "carts": [cart, cart],  # one object twice
        "user": User(name="ann", roles=["admin"]),
        "slotted": Slotted(1, (2, 3)),
        "oldstyle": OldStyle(),
    }


def samples(without):
    """One value of every kind, by name; without one of them where a store has no
    room for it."""
    shared = [1, 2]
    values = {
        "none": None, "true": True, "false": False,
        "int": 42, "zero": 0, "negative": -1, "i255": 255, "i256": 256, "i65536": 65536,
        "i31": 2 ** 31 - 1, "i31b": 2 ** 31, "im31": -2 ** 31, "i63": 2 ** 63 - 1, "i64": 2 ** 64,
        "big": 2 ** 200 + 1, "negbig": -2 ** 200,
        "float": 1e300, "negzero": -0.0, "inf": float("inf"), "denormal": 5e-324,
        "complex": 1.5 - 2j,
        "text": u"h\xe9llo \u4e16\u754c", "astral": u"\U0001f36a", "nul": u"a\0b", "empty": u"",
        "native": "native str", "long text": u"x" * 70000,
        "bytearray": bytearray(b"\x00\xff"),
        "list": [1, [2, [3, []]]], "t0": (), "t1": (1,), "t2": (1, u"b"), "t3": (1, 2, 3), "t4": (1, 2, 3, 4),
        "set": set([1, 2, u"x"]), "emptyset": set(), "frozenset": frozenset([u"y"]),
        "dict": {u"a": {u"b": {}}, 1: u"int key", (1, u"x"): u"tuple key", None: 0},
        "shared1": shared, "shared2": shared,
        "datetime": datetime.datetime(2023, 11, 14, 22, 13, 20, 123456),
        "date": datetime.date(2024, 2, 29), "time": datetime.time(1, 2, 3, 4),
        "timedelta": datetime.timedelta(-1, 5, 7),
        "decimal": decimal.Decimal("1.10"), "decimal2": decimal.Decimal("-0E+5"),
        "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    }
    if not taggedjson.PY2:
        values["bytes"] = b"\x00\x01\xfe\xff raw"
        values["nobytes"] = b""
        values["surrogate"] = u"\ud800"
        values["aware"] = datetime.datetime(2024, 7, 1, 12, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    else:
        values["bytes"] = b"\x00\x01\xfe\xff raw"
        values["long"] = taggedjson.long_type(7)
    values.pop(without, None)
    return values


def differences(session, expected):
    """The names of the keys whose value is not the expected one: Python must
    find it equal, and of the same types all the way down."""
    wrong = []
    for key, value in expected.items():
        if key not in session:
            wrong.append("%r: missing" % (key,))
        elif not session[key] == value:
            wrong.append("%r: not equal" % (key,))
        elif taggedjson.canonical(session[key]) != taggedjson.canonical(value):
            wrong.append("%r: other types" % (key,))
    return sorted(wrong)


class Application(object):
    """The WSGI application: one method per address."""

    def __call__(self, environ, start_response):
        name = environ["REQUEST_METHOD"].lower() + "_" + environ["PATH_INFO"].strip("/").replace("/", "_")
        handler = getattr(self, name, None)
        if handler is None:
            start_response("404 Not Found", [("Content-Type", "application/json")])
            return [b'{"error": "no such address"}']
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        value = json.loads(body.decode("utf-8")) if body else None
        query = parse_qs(environ.get("QUERY_STRING", ""))
        key = query.get("key", [""])[0]
        answer = handler(environ["beaker.session"], key, value)
        start_response("200 OK", [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [json.dumps(answer).encode("ascii")]

    def get_untouched(self, session, key, value):
        return {}

    def get_dump(self, session, key, value):
        return {
            "session": taggedjson.encode(dict((k, session[k]) for k in session)),
            "id": session.id,
            "is_new": bool(session.is_new),
            "created": session.get("_creation_time"),
        }

    def get_get(self, session, key, value):
        return {"found": key in session,
                "value": taggedjson.encode(session[key]) if key in session else None}

    def post_set(self, session, key, value):
        session[key] = taggedjson.decode(value)
        session.save()

    def post_update(self, session, key, value):
        session.update(taggedjson.decode(value))
        session.save()

    def post_compare(self, session, key, value):
        return {"differ": differences(session, taggedjson.decode(value))}

    def post_delete(self, session, key, value):
        del session[key]
        session.save()

    def post_increment(self, session, key, value):
        session[key] = session.get(key, 0) + 1
        session.save()
        return {"value": session[key]}

    def post_login(self, session, key, value):
        session.regenerate_id()
        session["user"] = value
        session.save()

    def post_logout(self, session, key, value):
        session.delete()

    def post_invalidate(self, session, key, value):
        session.invalidate()
        session.save()

    def post_regenerate(self, session, key, value):
        session.regenerate_id()
        session.save()

    def post_objects(self, session, key, value):
        session.update(own_objects())
        session.save()

    def get_objects(self, session, key, value):
        wrong = differences(session, own_objects())
        carts = session.get("carts")
        if not carts or carts[0] is not carts[1] or carts[0] is not session["cart"]:
            wrong.append("carts: no longer one and the same object")
        return {"differ": wrong}

    def post_samples(self, session, key, value):
        session.update(samples(key))
        session.save()

    def get_samples(self, session, key, value):
        wrong = differences(session, samples(key))
        if session["shared1"] is not session["shared2"]:
            wrong.append("shared1, shared2: no longer one list")
        return {"differ": wrong}


class ReportErrors(object):
    """Answers 500 with the exception, so that a test can tell what it was."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        try:
            return self.app(environ, start_response)
        except Exception:
            error = traceback.format_exc()
            start_response("500 Internal Server Error", [("Content-Type", "application/json")], sys.exc_info())
            return [json.dumps({"error": error}).encode("ascii")]


class Server(ThreadingMixIn, WSGIServer):
    """One thread per request, as a production server would."""

    daemon_threads = True
    request_queue_size = 64

    def server_bind(self):
        # Without the look-up of the host's name that the base class makes.
        self.socket.bind(self.server_address)
        host, self.server_port = self.socket.getsockname()[:2]
        self.server_name = host
        self.server_address = (host, self.server_port)
        self.setup_environ()


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format, *args):
        pass


def serve(app, announce):
    """Serves app until standard input is closed."""
    server = make_server("127.0.0.1", 0, app, Server, QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.daemon = True
    thread.start()
    announce["port"] = server.server_port
    announce["python"] = "%d.%d.%d" % sys.version_info[:3]
    announce["beaker"] = getattr(beaker, "__version__", "")
    sys.stdout.write(json.dumps(announce) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


def main(options):
    config = dict(("session." + name, value) for name, value in made(options).items())
    serve(ReportErrors(SessionMiddleware(Application(), config)), {})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
