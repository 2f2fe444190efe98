"""A Pyramid application with pyramid_beaker, as the live tests of package
middleware talk to it: its CSRF tokens and its flash messages.

usage: python pyramidapp.py '{"type": "file", "data_dir": "...", "key": "sid"}'

The argument is a JSON object of Beaker's session options; "scheme", if it is
there, is what the application takes for the browser's, and "trusted" is
pyramid.csrf_trusted_origins. The application runs as scripts/peerapp.py does.

    GET  /token                  the session's CSRF token
    *    /submit                 a view with require_csrf
    GET  /raw?key=K              a value of the session in tagged JSON
    POST /flash?queue=Q          body: a text; with &translated=1 a TranslationString,
                                 with &once=1 only if it is not there yet
    GET  /peek?queue=Q           the messages, as tagged JSON
    POST /pop?queue=Q            the messages, which are gone afterwards
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import pyramid_beaker  # noqa: E402
from pyramid.config import Configurator  # noqa: E402
from translationstring import TranslationString  # noqa: E402

import peerapp  # noqa: E402
import taggedjson  # noqa: E402
from deployment import Deployment  # noqa: E402

try:
    from pyramid.csrf import get_csrf_token
except ImportError:  # up to 1.8
    def get_csrf_token(request):
        return request.session.get_csrf_token()


def token(request):
    return {"token": taggedjson.encode(get_csrf_token(request))}


def submit(request):
    return {"fields": sorted(request.POST.keys())}


def raw(request):
    return {"value": taggedjson.encode(request.session.get(request.GET["key"]))}


def flash(request):
    text = request.body.decode("utf-8")
    if "translated" in request.GET:
        text = TranslationString("id", domain="app", default=text)
    request.session.flash(text, request.GET["queue"], "once" not in request.GET)
    return {}


def peek(request):
    return {"messages": taggedjson.encode(request.session.peek_flash(request.GET["queue"]))}


def pop(request):
    return {"messages": taggedjson.encode(request.session.pop_flash(request.GET["queue"]))}


def application(options):
    scheme = options.pop("scheme", "http")
    trusted = options.pop("trusted", [])
    config = Configurator(settings={"pyramid.csrf_trusted_origins": trusted})
    config.set_session_factory(pyramid_beaker.BeakerSessionFactoryConfig(**options))
    for view in (token, submit, raw, flash, peek, pop):
        config.add_route(view.__name__, "/" + view.__name__)
        config.add_view(view, route_name=view.__name__, renderer="json", require_csrf=view is submit)
    return Deployment(config.make_wsgi_app(), scheme)


def main(options):
    options = dict((str(name), peerapp.native(value)) for name, value in options.items())
    peerapp.serve(peerapp.ReportErrors(application(options)), {})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
