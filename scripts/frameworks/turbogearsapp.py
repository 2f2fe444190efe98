"""A TurboGears 2 application, as the live tests of package middleware talk to
it: its flash messages, which are in a cookie of their own.

usage: python turbogearsapp.py

The application runs as scripts/peerapp.py does.

    POST /flash          body: a text; ?status=S, ?delay=N as extra payload
    POST /pop            the payload of the message, which is gone afterwards
    POST /render         the message in TurboGears' own template, gone afterwards
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import tg  # noqa: E402

import peerapp  # noqa: E402

try:
    from tg import MinimalApplicationConfigurator
except ImportError:  # TurboGears 2.3
    MinimalApplicationConfigurator = None


class Root(tg.TGController):
    @tg.expose()
    def flash(self, **arguments):
        extra = dict((name, int(value)) for name, value in arguments.items() if name == "delay")
        tg.flash(tg.request.body.decode("utf-8"), arguments.get("status"), **extra)
        return "{}"

    @tg.expose()
    def pop(self, **_):
        return json.dumps(tg.flash.pop_payload())

    @tg.expose()
    def render(self, **_):
        return tg.flash.render("flash", use_js=False)


def application():
    if MinimalApplicationConfigurator is None:
        return tg.AppConfig(minimal=True, root_controller=Root()).make_wsgi_app()
    config = MinimalApplicationConfigurator()
    config.update_blueprint({"root_controller": Root()})
    return config.make_wsgi_app()


def main():
    peerapp.serve(peerapp.ReportErrors(application()), {})


if __name__ == "__main__":
    main()
