"""The Python half of scripts/demo: a small WSGI application under Beaker.

usage: python demo_app.py demo.ini [URL-OF-THE-GO-SERVICE [ORIGIN...]]

It takes every beaker.session.* setting from [app:main] of the ini file, as
Pylons and Pyramid applications do, listens on a free port of 127.0.0.1 and
prints {"port": ...} on its first line. Browsers get HTML, curl gets text.
After a login it sends them to /login's came_from, if that is a page of its own
or of one of the ORIGINs. It runs on Python 2.7 and 3.
"""
import json
import os
import re
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from xml.sax.saxutils import escape

try:
    from configparser import ConfigParser
    from socketserver import ThreadingMixIn
    from urllib.parse import parse_qs
except ImportError:  # Python 2
    from ConfigParser import ConfigParser
    from SocketServer import ThreadingMixIn
    from urlparse import parse_qs

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
LOGIN = """<form method="post" action="/login">%s
<label>Your name <input name="name" required autofocus></label> <button>Log in</button></form>"""


def fields(text):
    """What a query or a posted form says: the first value of each name."""
    return {k: v[0] if isinstance(v[0], type(u"")) else v[0].decode("utf-8", "replace") for k, v in parse_qs(text).items()}


def html(text):
    return escape(u"%s" % text, {'"': "&quot;"})


def login_form(came_from=None):
    return LOGIN % ('<input type="hidden" name="came_from" value="%s">' % html(came_from) if came_from else "")


def landing(environ, came_from, origins):
    """Where a login leads: to the page that it was asked for, if that is one of ours."""
    parts = re.match(r"(https?://[^/?#]*)/[!-\[\]-~]*\Z", came_from or "")
    ours = ["%s://%s" % (environ["wsgi.url_scheme"], environ["HTTP_HOST"])] + origins
    return str(came_from) if parts and parts.group(1) in ours else "/"


def show(environ, session, other):
    """The page: what the session holds, or the login form."""
    user = session.get("user")
    shown = [user or "nobody", session.get("counter", 0), session.get("note", "-")]
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        return "text/plain", u"%s\nuser:    %s\ncounter: %s\nnote:    %s\n" % tuple([WHO] + shown)
    return page(SESSION % tuple(html(v) for v in shown) if user else login_form(), other)


def page(body, other):
    return "text/html", PAGE % {"who": WHO, "body": body, "other": html(other)}


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


def application(other, origins):
    def app(environ, start_response):
        session, path = environ["beaker.session"], environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 10000))
            form = fields(body if str is bytes else body.decode("latin-1"))
            change(path, form, session)
            to = landing(environ, form.get("came_from"), origins) if path == "/login" else "/"
            start_response("303 See Other", [("Location", to)])
            return [b""]
        if path == "/login":
            kind, text = page(login_form(fields(environ.get("QUERY_STRING", "")).get("came_from")), other)
        elif path == "/":
            kind, text = show(environ, session, other)
        else:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is nothing here.\n"]
        start_response("200 OK", [("Content-Type", kind + "; charset=utf-8"), ("Cache-Control", "no-store")])
        return [text.encode("utf-8")]
    return app


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format, *args):
        pass


def main(ini, other="/go", *origins):
    config = ConfigParser({"here": os.path.dirname(os.path.abspath(ini))})
    config.read(ini)
    settings = {k: v for k, v in config.items("app:main") if k.startswith("beaker.session.")}
    server = make_server("127.0.0.1", 0, SessionMiddleware(application(other, list(origins)), settings), Server, QuietHandler)
    print(json.dumps({"port": server.server_port, "beaker": beaker.__version__, "who": WHO}))
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
