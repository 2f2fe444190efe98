"""A Pylons application with WebHelpers, as the live tests of package middleware
talk to it: secure forms and flash messages. Python 2.7.

usage: python pylonsapp.py '{"type": "file", "data_dir": "...", "key": "sid"}'

The argument is a JSON object of Beaker's session options. The application runs
as scripts/peerapp.py does.

    GET  /token          the session's token, and the form that WebHelpers makes
    *    /submit         an action under authenticate_form; the fields that it sees
    GET  /raw?key=K      a value of the session in tagged JSON
    POST /flash          body: a text; ?category=C, &once=1 for ignore_duplicate,
                         &kind=str or literal for other than unicode
    POST /pop            the messages: category, what a template shows, and the
                         message in tagged JSON
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import mako.template  # noqa: E402
import paste.registry  # noqa: E402
import webhelpers.html  # noqa: E402
from beaker.middleware import SessionMiddleware  # noqa: E402
from pylons import request, session  # noqa: E402
from pylons.configuration import PylonsConfig  # noqa: E402
from pylons.controllers import WSGIController  # noqa: E402
from pylons.decorators.secure import authenticate_form  # noqa: E402
from pylons.wsgiapp import PylonsApp  # noqa: E402
from routes import Mapper  # noqa: E402
from routes.middleware import RoutesMiddleware  # noqa: E402
from webhelpers.pylonslib.flash import Flash  # noqa: E402
from webhelpers.pylonslib.secure_form import authentication_token, secure_form  # noqa: E402

import peerapp  # noqa: E402
import taggedjson  # noqa: E402
from deployment import Deployment  # noqa: E402

flash = Flash()
# As an application's templates show a message: escaped, unless it is markup.
SHOWN = mako.template.Template(u"${message.message}", default_filters=["h"],
                               imports=["from webhelpers.html import escape as h"])
KINDS = {
    "unicode": lambda text: text,
    "str": lambda text: text.encode("utf-8"),
    "literal": webhelpers.html.literal,
}


class Root(WSGIController):
    def token(self):
        token = authentication_token()
        return json.dumps({"token": taggedjson.encode(token), "form": secure_form("/submit")})

    @authenticate_form
    def submit(self):
        return json.dumps({"fields": sorted(request.params.keys())})

    def raw(self):
        return json.dumps({"value": taggedjson.encode(session.get(request.GET["key"]))})

    def flash(self):
        text = KINDS[request.GET.get("kind", "unicode")](request.body.decode("utf-8"))
        # Code has its categories as literals, which are of type str.
        flash(text, str(request.GET.get("category", "")), "once" in request.GET)
        return "{}"

    def pop(self):
        return json.dumps({"messages": [
            {"category": m.category, "shown": SHOWN.render_unicode(message=m), "message": tagged(m.message)}
            for m in flash.pop_messages()]})


def tagged(message):
    """literal is a class of text, which tagged JSON has no form for."""
    if isinstance(message, webhelpers.html.literal):
        return {"t": "literal", "v": message}
    return taggedjson.encode(message)


class Globals(object):
    """What an application keeps for all requests: nothing."""


class Application(PylonsApp):
    """A PylonsApp whose controllers are not looked for in a package."""

    def find_controller(self, controller):
        return Root


def application(options):
    config = PylonsConfig()
    here = os.path.dirname(os.path.abspath(__file__))
    config.init_app({}, {}, package="pylonsapp",
                    paths=dict(root=here, controllers=here, templates=[], static_files=here))
    routes = Mapper()
    routes.connect("/{action}", controller="root")
    config["routes.map"] = routes
    config["pylons.app_globals"] = Globals()
    app = RoutesMiddleware(Application(config=config), routes, singleton=False)
    app = SessionMiddleware(app, dict(("session." + name, value) for name, value in options.items()))
    return Deployment(paste.registry.RegistryManager(app))


def main(options):
    options = dict((str(name), peerapp.native(value)) for name, value in options.items())
    peerapp.serve(peerapp.ReportErrors(application(options)), {})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
