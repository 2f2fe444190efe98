"""WSGI applications whose only address, /index, runs a function with the session,
each in a framework's own stack.

Every maker takes Beaker's options by their names, as the ini has them but
without a prefix, and the function; it returns a WSGI application.
"""
import os
import sys

FRAMEWORKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "frameworks")


def prefixed(options, prefix="session."):
    return dict((prefix + name, value) for name, value in options.items())


def beaker(options, run):
    """Nothing but Beaker's own middleware."""
    from beaker.middleware import SessionMiddleware

    def application(environ, start_response):
        run(environ["beaker.session"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    return SessionMiddleware(application, prefixed(options, "beaker.session."))


def turbogears(options, run):
    """TurboGears 2 with its session wrapper, tg.appwrappers.session."""
    import tg

    class Root(tg.TGController):
        @tg.expose()
        def index(self, **_):
            run(tg.session)
            return "done"

    try:
        from tg import MinimalApplicationConfigurator
        from tg.configurator.components.session import SessionConfigurationComponent
    except ImportError:  # TurboGears 2.3
        config = tg.AppConfig(minimal=True, root_controller=Root())
        config["session.enabled"] = True
        config.update(prefixed(options))
        return config.make_wsgi_app()
    config = MinimalApplicationConfigurator()
    config.register(SessionConfigurationComponent)
    config.update_blueprint(dict(prefixed(options), root_controller=Root()))
    return config.make_wsgi_app()


def pyramid(options, run):
    """Pyramid, configured as an ini with pyramid.includes = pyramid_beaker does."""
    from pyramid.config import Configurator
    from pyramid.response import Response

    def view(request):
        run(request.session)
        return Response("done")

    config = Configurator(settings=prefixed(options))
    config.include("pyramid_beaker")
    config.add_route("index", "/index")
    config.add_view(view, route_name="index")
    return config.make_wsgi_app()


def pylons(options, run):
    """Pylons 1.0: its stack of middleware, and pylons.session in a controller."""
    sys.path.insert(0, FRAMEWORKS)
    import pylonsapp
    from pylons import session
    from pylons.controllers import WSGIController

    class Root(WSGIController):
        def index(self):
            run(session)
            return "done"

    pylonsapp.Root = Root
    return pylonsapp.application(options)


MAKERS = {"beaker": beaker, "turbogears": turbogears, "pyramid": pyramid, "pylons": pylons}
