"""A Pylons application, in the place of yours: Pylons 1.0 on Python 2.7.

    $ paster serve production.ini

    GET  /account          who is here
    POST /account/login    name=...
    POST /account/logout
    GET  /orders           the orders, as Python has them
    POST /orders           one more
    GET  /cart             what is in the cart
"""
import os

import paste.registry
from beaker.middleware import SessionMiddleware
from pylons import request, session
from pylons.configuration import PylonsConfig
from pylons.controllers import WSGIController
from pylons.wsgiapp import PylonsApp
from routes import Mapper
from routes.middleware import RoutesMiddleware


class Shop(WSGIController):
    def account(self):
        return "Pylons: %s\n" % session.get("user_id", "nobody")

    def login(self):
        session.regenerate_id()
        session["user_id"] = request.params["name"]
        session["groups"] = ["customers"]
        session.save()
        return self.account()

    def logout(self):
        session.delete()
        return self.account()

    def orders(self):
        if request.method == "POST":
            session["orders"] = session.get("orders", 0) + 1
            session.save()
        return "Pylons: %d orders of %s\n" % (session.get("orders", 0), session.get("user_id", "nobody"))

    def cart(self):
        return "Pylons: the cart of %s\n" % session.get("user_id", "nobody")


class Application(PylonsApp):
    """A PylonsApp whose one controller is in this file."""

    def find_controller(self, controller):
        return Shop


class Globals(object):
    """What an application keeps for all requests: nothing."""


def make_app(global_conf, **app_conf):
    config = PylonsConfig()
    here = os.path.dirname(os.path.abspath(__file__))
    config.init_app(global_conf, app_conf, package="shop",
                    paths=dict(root=here, controllers=here, templates=[], static_files=here))
    routes = Mapper()
    routes.connect("/account", controller="shop", action="account")
    routes.connect("/account/{action}", controller="shop")
    routes.connect("/{action}", controller="shop")
    config["routes.map"] = routes
    config["pylons.app_globals"] = Globals()
    app = RoutesMiddleware(Application(config=config), routes, singleton=False)
    return paste.registry.RegistryManager(SessionMiddleware(app, config))
