"""The Python half of scripts/demo: a small WSGI application under Beaker.

usage: python3 demo_app.py demo.ini [URL-PREFIX-OF-THE-GO-SERVICE]

It takes every beaker.session.* setting from [app:main] of the ini file, as
Pylons and Pyramid applications do, listens on a free port of 127.0.0.1 and
prints {"port": ...} on its first line. Browsers get HTML, curl gets text.
"""
import configparser
import html
import json
import os
import sys
from socketserver import ThreadingMixIn
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import beaker
from beaker.middleware import SessionMiddleware

WHO = "Python %d.%d with Beaker %s" % (sys.version_info[:2] + (beaker.__version__,))

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>gobeaker demo: Python</title><style>
body { font: 18px/1.5 system-ui, sans-serif; max-width: 34em; margin: 3em auto; padding: 0 1em }
h1 { border-left: .4em solid #ffd43b; padding-left: .5em } dt { float: left; opacity: .7 }
dd { margin-left: 6em; overflow-wrap: anywhere }
form { display: inline-block; margin: .3em .6em .3em 0 } input, button { font: inherit }
</style></head><body><h1>This is Python</h1><p>%(who)s</p>%(body)s
<p><a href="%(other)s/">Go on to the Go service &rarr;</a></p></body></html>
"""
SESSION = """<dl><dt>user</dt><dd>%s</dd><dt>counter</dt><dd>%s</dd><dt>note</dt><dd>%s</dd></dl>
<form method="post" action="/count"><button>Add 1 to the counter</button></form>
<form method="post" action="/note"><label>A note <input name="note" required></label> <button>Leave a note</button></form>
<form method="post" action="/logout"><button>Log out</button></form>"""
LOGIN = """<form method="post" action="/login">
<label>Your name <input name="name" required autofocus></label> <button>Log in</button></form>"""


def show(environ, session, other):
    """The page: what the session holds, or the login form."""
    user = session.get("user")
    shown = [user or "nobody", session.get("counter", 0), session.get("note", "-")]
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        return "text/plain", "%s\nuser:    %s\ncounter: %s\nnote:    %s\n" % tuple([WHO] + shown)
    body = SESSION % tuple(html.escape(str(v)) for v in shown) if user else LOGIN
    return "text/html", PAGE % {"who": WHO, "body": body, "other": html.escape(other)}


def change(path, form, session):
    """What a form does to the session."""
    if path == "/login" and form.get("name"):
        session.regenerate_id()  # a new id at every login
        session["user"] = form["name"]
        session["counter"] = 0
    elif path == "/count":
        session["counter"] = session.get("counter", 0) + 1
    elif path == "/note":
        session["note"] = form.get("note", "")
    session.save()
    if path == "/logout":
        session.delete()


def application(other):
    def app(environ, start_response):
        session, path = environ["beaker.session"], environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 10000))
            form = {k: v[0] for k, v in parse_qs(body.decode("utf-8", "replace")).items()}
            change(path, form, session)
            start_response("303 See Other", [("Location", "/")])
            return [b""]
        if path != "/":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is nothing here.\n"]
        kind, text = show(environ, session, other)
        start_response("200 OK", [("Content-Type", kind + "; charset=utf-8"), ("Cache-Control", "no-store")])
        return [text.encode("utf-8")]
    return app


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format, *args):
        pass


def main(ini, other="/go"):
    config = configparser.ConfigParser({"here": os.path.dirname(os.path.abspath(ini))})
    config.read(ini)
    settings = {k: v for k, v in config.items("app:main") if k.startswith("beaker.session.")}
    server = make_server("127.0.0.1", 0, SessionMiddleware(application(other), settings), Server, QuietHandler)
    print(json.dumps({"port": server.server_port, "beaker": beaker.__version__, "who": WHO}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
