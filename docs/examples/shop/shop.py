"""A small shop under Beaker, in the place of your application: Python 2.7 and 3.

usage: python shop.py production.ini

    GET  /         who is here, and how many things are in the cart
    POST /login    name=...
    POST /cart     one thing more
    POST /logout
"""
import os
import sys

try:
    from urllib.parse import parse_qs
except ImportError:  # Python 2
    from urlparse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, make_server

import beaker
from beaker.middleware import SessionMiddleware
from paste.deploy import appconfig, loadapp


def shop(environ, start_response):
    session, path = environ["beaker.session"], environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        if path == "/login":
            size = int(environ.get("CONTENT_LENGTH") or 0)
            form = parse_qs(environ["wsgi.input"].read(size).decode("utf-8"))
            session.regenerate_id()
            session["user_id"] = form["name"][0]
            session.save()
        elif path == "/cart":
            session["cart"] = session.get("cart", 0) + 1
            session.save()
        elif path == "/logout":
            session.delete()
    who = "%s, %d in the cart" % (session["user_id"], session.get("cart", 0)) if "user_id" in session else "nobody"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("Python with Beaker %s: %s\n" % (beaker.__version__, who)).encode("utf-8")]


def make_app(global_conf, **settings):
    return SessionMiddleware(shop, settings)


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def main(ini):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    uri = "config:" + os.path.abspath(ini)
    port = int(appconfig(uri)["port"])
    server = make_server("127.0.0.1", port, loadapp(uri), handler_class=Quiet)
    print("shop with Beaker %s: http://127.0.0.1:%d/" % (beaker.__version__, port))
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
