"""The check of forward-auth as a WSGI application with Beaker; started by scripts/benchgateway
under gunicorn, with Beaker's options as JSON in BEAKER_OPTIONS.
"""
import json
import os
import sys

# Where there is pycryptodome, Beaker takes its HMAC, which is slower than the standard
# library's: let it have the faster one.
sys.modules["Crypto"] = None

from beaker.middleware import SessionMiddleware  # noqa: E402


def check(environ, start_response):
    session = environ["beaker.session"]
    if session.get("user_id"):
        status, headers = "200 OK", [("Remote-User", session["username"])]
    else:
        status, headers = "401 Unauthorized", []
    start_response(status, headers + [("Cache-Control", "no-store"), ("Content-Length", "0")])
    return []


application = SessionMiddleware(check, json.loads(os.environ["BEAKER_OPTIONS"]))
