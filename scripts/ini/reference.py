"""What PasteDeploy and Beaker make of an ini file.

The reference that the tests of package iniconf compare with. It runs on Python
2.7 and 3, reads one request per line (JSON) and answers each with one line.

  {"do": "paste", "batch": [[path, app, global_conf or null], ...]}
      -> {"answers": [{"global": [[key, value], ...], "local": [...], "both": [...],
                       "tree": what the application is made of, or {"error": class, ...}}, ...]}
  {"do": "coerce", "dir": path, "batch": [[[key, text], ...], ...]}
      -> {"answers": [{"options": {name: value}, "use": null or {"error": class, ...}}, ...]}
     where "use" is what came of one request that saves a session

Each may answer {"error": class, "text": message} instead.
Eggs and factories are not loaded: reading ends there. On Python 2, 8-bit
strings travel as Latin-1, so that any byte comes through.
"""
import json
import os
import sys
import warnings

PY2 = sys.version_info[0] == 2

warnings.simplefilter("ignore")


def wire(value):
    """A value as JSON can carry it."""
    return value.decode("latin-1") if PY2 and isinstance(value, str) else value


def unwire(value):
    return value.encode("latin-1") if PY2 else value


def pairs(items):
    return [[wire(k), wire(v)] for k, v in items]


def failure(err):
    return {"error": type(err).__name__, "text": wire(str(err))}


def without_eggs():
    """Makes PasteDeploy stop where it would import something, and lets factories tell
    what they are given: an application is a dict, a filter a function that makes one.
    Only Paste's own composites are the real ones, where Paste is installed."""
    from paste.deploy import loadwsgi

    class Egg(loadwsgi._Loader):
        def __init__(self, spec):
            self.spec = spec

        def get_context(self, object_type, name=None, global_conf=None):
            if self.absolute_name(name):
                return loadwsgi.loadcontext(object_type, name, global_conf=global_conf)
            return loadwsgi.LoaderContext("egg:%s#%s" % (self.spec, name or "main"), object_type, "stub",
                                          global_conf or {}, {}, self)

    loadwsgi.EggLoader = Egg
    if hasattr(loadwsgi, "import_string"):
        loadwsgi.import_string = lambda s: s
    else:
        class Installed(object):
            @staticmethod
            def distribution(spec):
                return None

            class EntryPoint(object):
                def __init__(self, name, group, value):
                    self.value = value

                def load(self):
                    return self.value
        loadwsgi.importlib_metadata = Installed
    if hasattr(loadwsgi, "pkg_resources"):
        class Present(object):
            @staticmethod
            def require(spec):
                return None
        loadwsgi.pkg_resources = Present

    def given(context):
        return {"factory": wire(context.object), "global": pairs(context.global_conf.items()),
                "local": pairs(context.local_conf.items())}

    def application(self, context):
        made = given(context)
        composite = COMPOSITES.get(context.object)
        if composite:
            made.update(composite(loadwsgi.fix_call, context))
        return made

    def around(self, context):
        made = given(context)
        return lambda app: dict(made, app=app)

    loadwsgi._App.invoke, loadwsgi._Filter.invoke = application, around
    return loadwsgi


def urlmap(fix_call, context):
    from paste.urlmap import urlmap_factory
    made = fix_call(urlmap_factory, context.loader, context.global_conf, **context.local_conf)
    missing = made.not_found_application
    return {"missing": None if missing == made.not_found_app else missing,
            "apps": [[wire(domain or ""), wire(url), app] for (domain, url), app in made.applications]}


def cascade(fix_call, context):
    from paste.cascade import make_cascade
    made = fix_call(make_cascade, context.loader, context.global_conf, **context.local_conf)
    return {"apps": [["", "", app] for app in made.apps]}


COMPOSITES = {"egg:Paste#urlmap": urlmap, "egg:Paste#cascade": cascade,
              "paste.urlmap:urlmap_factory": urlmap, "paste.cascade:make_cascade": cascade}
LOADED = {}


def paste(request):
    if "paste" not in LOADED:
        LOADED["paste"] = without_eggs()
    sys.setrecursionlimit(400)  # nested composites are deep
    return {"answers": [paste_one(LOADED["paste"], *one) for one in request["batch"]]}


def paste_one(loadwsgi, file, name, given):
    given = dict((unwire(k), unwire(v)) for k, v in given.items()) if given else None
    try:
        context = loadwsgi.loadcontext(loadwsgi.APP, "config:" + unwire(file), name=unwire(name), global_conf=given)
        conf = context.config()
    except Exception as err:
        return failure(err)
    answer = {"global": pairs(conf.global_conf.items()), "local": pairs(conf.local_conf.items()),
              "both": pairs(conf.items())}
    try:
        answer["tree"] = context.create()
    except Exception as err:
        answer["tree"] = failure(err)
    return answer


def coerce(request):
    os.chdir(request["dir"])  # some of the settings are relative paths
    sys.setrecursionlimit(1000)
    return {"answers": [coerce_one(options) for options in request["batch"]]}


def coerce_one(options):
    from beaker.middleware import SessionMiddleware
    config = type({})()
    for key, value in options:
        config[unwire(key)] = unwire(value)
    try:
        middleware = SessionMiddleware(None, config)
    except Exception as err:
        return failure(err)
    answer = {"options": dict((wire(k), plain(v)) for k, v in middleware.options.items()), "use": None}
    try:
        use(middleware)
    except Exception as err:
        answer["use"] = failure(err)
    return answer


def use(middleware):
    """One request whose application saves something in the session."""
    def app(environ, start_response):
        session = environ["beaker.session"]
        session["k"] = "v"
        session.save()
        start_response("200 OK", [])
        return []

    middleware.wrap_app = app
    middleware({}, lambda status, headers, exc_info=None: None)


def plain(value):
    """A coerced option as JSON: a timedelta is {"seconds": n}; numbers have 64 bits."""
    if isinstance(value, (int, float)) or type(value).__name__ == "long":
        return value if -2 ** 63 < value < 2 ** 63 else 2 ** 63
    if hasattr(value, "total_seconds"):
        return {"seconds": value.total_seconds()}
    return wire(value)


DO = {"paste": paste, "coerce": coerce}


def composed(value):
    """What PasteDeploy makes of a filter-with around what is no plain application."""
    if callable(value):
        return "composed"
    raise TypeError(repr(value))


def main():
    sys.setrecursionlimit(150)  # a section that uses itself ends soon
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        try:
            answer = DO[request["do"]](request)
        except Exception as err:
            answer = failure(err)
        sys.stdout.write(json.dumps(answer, default=composed) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
