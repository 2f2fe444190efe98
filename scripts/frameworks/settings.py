"""What the session middleware that a framework makes of an ini's settings hands
to Beaker: the reference of the live test of package iniconf. Python 2.7 and 3.

usage: python settings.py turbogears|pyramid|pylons

Each line of standard input is a JSON list of two lists of [key, value]: the
global_conf and the local_conf that PasteDeploy hands to an application. Each
answer is a line of JSON:

    {"options": {...}, "enabled": true}    the arguments of beaker.session.Session,
                                           those that it defaults to included
    {"error": "..."}                       the error that the framework, or the
                                           first use of the session, ends with

TurboGears has the configuration that its quickstart writes to config/app_cfg.py.
"""
import collections
import datetime
import inspect
import json
import sys
import warnings

from beaker.session import CookieSession, Session

warnings.simplefilter("ignore")


def turbogears(global_conf, local_conf):
    import tg
    from tg.appwrappers.session import SessionApplicationWrapper

    class Root(tg.TGController):
        pass

    quickstart = {"session.enabled": True}
    # Quickstarts that write beaker.session.* are older than the JSON.
    if not any(key.startswith("beaker.session.") for conf in (global_conf, local_conf) for key in conf):
        quickstart["session.data_serializer"] = "json"
    try:
        from tg import MinimalApplicationConfigurator
        from tg.configurator.components.session import SessionConfigurationComponent
    except ImportError:  # TurboGears 2.3
        config = tg.AppConfig(minimal=True, root_controller=Root())
        config.update(quickstart)
        config = config._init_config(tg.util.Bunch(global_conf), tg.util.Bunch(local_conf))
    else:
        configurator = MinimalApplicationConfigurator()
        configurator.register(SessionConfigurationComponent)
        quickstart["root_controller"] = Root()
        configurator.update_blueprint(quickstart)
        config = configurator.configure(global_conf, local_conf)
    wrapper = SessionApplicationWrapper(None, config)
    return wrapper.options, wrapper.injected


def pyramid(_, local_conf):
    """A Pyramid application's main(global_config, **settings)."""
    from pyramid.config import Configurator

    config = Configurator(settings=local_conf)
    config.include("pyramid_beaker")
    config.commit()
    factory = config.registry.queryUtility(pyramid_interface())
    return factory._options, True


def pyramid_interface():
    from pyramid.interfaces import ISessionFactory
    return ISessionFactory


def pylons(global_conf, local_conf):
    from beaker.middleware import SessionMiddleware
    from pylons.configuration import PylonsConfig

    config = PylonsConfig()
    config.init_app(global_conf, local_conf, package="shop", paths={"root": None})
    return SessionMiddleware(None, config).options, True


def defaults():
    get = getattr(inspect, "getfullargspec", None) or inspect.getargspec
    spec = get(Session.__init__)
    return dict(zip(spec.args[-len(spec.defaults):], spec.defaults))


def plain(value):
    if isinstance(value, datetime.timedelta):
        return {"seconds": value.days * 86400 + value.seconds}
    return value


def answer(make, global_conf, local_conf):
    options, enabled = make(global_conf, local_conf)
    arguments = defaults()
    arguments.update(options)
    if enabled:  # a session refuses some values only when it is made or sends its cookie
        kind = CookieSession if arguments.get("type") == "cookie" else Session
        kind({"cookie": ""}, **options)._set_cookie_expires(None)
    return {"options": dict((k, plain(v)) for k, v in arguments.items()), "enabled": enabled}


def main(make):
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        confs = [collections.OrderedDict((str(k), str(v)) for k, v in pairs) for pairs in json.loads(line)]
        if sys.version_info[0] == 2:
            confs = [dict(c) for c in confs]
        try:
            out = answer(make, *confs)
        except Exception as e:
            out = {"error": str(e)}
        sys.stdout.write(json.dumps(out, default=repr) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main({"turbogears": turbogears, "pyramid": pyramid, "pylons": pylons}[sys.argv[1]])
