"""A TurboGears 2 application, in the place of yours.

usage: python shop.py production.ini

    GET  /         who is here, how many orders there are, and the message
    POST /login    user_id=...
    POST /logout
"""
import os
import sys
from configparser import ConfigParser
from wsgiref.simple_server import WSGIRequestHandler, make_server

import tg
from tg import MinimalApplicationConfigurator
from tg.configurator.components.session import SessionConfigurationComponent


class Root(tg.TGController):
    @tg.expose(content_type="text/plain")
    def index(self, **_):
        who = tg.session.get("user_id", "nobody")
        message = tg.flash.message
        return "TurboGears: %d orders of %s%s\n" % (tg.session.get("orders", 0), who, ". " + message if message else "")

    @tg.expose(content_type="text/plain")
    def login(self, user_id):
        tg.session.regenerate_id()
        tg.session["user_id"] = user_id
        tg.session.save()
        return self.index()

    @tg.expose(content_type="text/plain")
    def logout(self):
        tg.session.delete()
        return "TurboGears: bye\n"


def make_app(global_conf, **app_conf):
    configurator = MinimalApplicationConfigurator()
    configurator.register(SessionConfigurationComponent)
    configurator.update_blueprint({"root_controller": Root(), "renderers": ["json"]})
    return configurator.make_wsgi_app(global_conf, app_conf)


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def main(ini):
    parser = ConfigParser({"here": os.path.dirname(os.path.abspath(ini))})
    parser.read(ini)
    port = parser.getint("server:main", "port")
    server = make_server("127.0.0.1", port, make_app({}, **dict(parser.items("app:main"))), handler_class=Quiet)
    print("shop: http://127.0.0.1:%d/" % port)
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
