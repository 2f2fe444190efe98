"""A WSGI application with Beaker, started by scripts/benchgateway under gunicorn, with Beaker's
options as JSON in BEAKER_OPTIONS: at /auth the check of forward-auth, at /seen the request's
headers, elsewhere a page that greets the visitor.
"""
import json
import os
import sys

# Where there is pycryptodome, Beaker takes its HMAC, which is slower than the standard
# library's: let it have the faster one.
sys.modules["Crypto"] = None

from beaker.middleware import SessionMiddleware  # noqa: E402


def answer(environ, start_response):
    if environ["PATH_INFO"] == "/seen":
        return page(start_response, "".join(
            "%s: %s\n" % (name[5:].replace("_", "-").title(), value)
            for name, value in environ.items() if name.startswith("HTTP_")))
    session = environ["beaker.session"]
    if environ["PATH_INFO"] != "/auth":
        return page(start_response, ("Hello %s\n" % session.get("username", "")).ljust(1024))
    if session.get("user_id"):
        status, headers = "200 OK", [("Remote-User", session["username"])]
    else:
        status, headers = "401 Unauthorized", []
    start_response(status, headers + [("Cache-Control", "no-store"), ("Content-Length", "0")])
    return []


def page(start_response, text):
    body = text.encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


application = SessionMiddleware(answer, json.loads(os.environ["BEAKER_OPTIONS"]))
