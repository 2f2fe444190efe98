"""What ConfigParser, PasteDeploy and Beaker make of an ini file.

The reference that the tests of package iniconf compare with. It runs on Python
2.7 and 3, reads one request per line (JSON) and answers each with one line.

  {"do": "parse", "file": path}
      -> {"sections": [[name, [[key, raw], ...]], ...],
          "values": [[section, key, {"ok": text} or {"error": class}], ...]}
  {"do": "paste", "file": path, "name": app, "global": {...} or null}
      -> {"global": [[key, value], ...], "local": [...], "both": [...]}
  {"do": "coerce", "options": [[key, text], ...]}
      -> {"options": {name: value}}

Each may answer {"error": class, "line": n or null, "text": message} instead.
Eggs and factories are not loaded: reading ends there. On Python 2, 8-bit
strings travel as Latin-1, so that any byte comes through.
"""
import json
import sys
import warnings

PY2 = sys.version_info[0] == 2
if PY2:
    import ConfigParser as configparser
else:
    import configparser

warnings.simplefilter("ignore")


def wire(value):
    """A value as JSON can carry it."""
    return value.decode("latin-1") if PY2 and isinstance(value, str) else value


def unwire(value):
    return value.encode("latin-1") if PY2 else value


def pairs(items):
    return [[wire(k), wire(v)] for k, v in items]


def line_of(err):
    """The line that one of ConfigParser's errors names first."""
    if getattr(err, "errors", None):
        return err.errors[0][0]
    return getattr(err, "lineno", None)


def failure(err):
    return {"error": type(err).__name__, "line": line_of(err), "text": wire(str(err))}


def parse(request):
    parser = configparser.ConfigParser()
    parser.optionxform = str
    with open(request["file"]) as f:
        (parser.readfp if PY2 else parser.read_file)(f)
    stored = [("DEFAULT", parser._defaults)] + [(name, parser._sections[name]) for name in parser.sections()]
    sections, values = [], []
    for name, options in stored:
        raw = [(k, v) for k, v in options.items() if not (PY2 and k == "__name__" and v == name)]
        sections.append([wire(name), pairs(raw)])
        for key, _ in raw:
            try:
                result = {"ok": wire(parser.get(name, key))}
            except Exception as err:
                result = {"error": type(err).__name__}
            values.append([wire(name), wire(key), result])
    return {"sections": sections, "values": values}


def without_eggs():
    """Makes PasteDeploy stop where it would import something."""
    from paste.deploy import loadwsgi

    class Egg(loadwsgi._Loader):
        def __init__(self, spec):
            self.spec = spec

        def get_context(self, object_type, name=None, global_conf=None):
            if self.absolute_name(name):
                return loadwsgi.loadcontext(object_type, name, global_conf=global_conf)
            return loadwsgi.LoaderContext(None, object_type, "stub", global_conf or {}, {}, self)

    loadwsgi.EggLoader = Egg
    if hasattr(loadwsgi, "import_string"):
        loadwsgi.import_string = lambda s: None
    else:
        class Installed(object):
            @staticmethod
            def distribution(spec):
                return None

            class EntryPoint(object):
                def __init__(self, name, group, value):
                    pass

                def load(self):
                    return None
        loadwsgi.importlib_metadata = Installed
    if hasattr(loadwsgi, "pkg_resources"):
        class Present(object):
            @staticmethod
            def require(spec):
                return None
        loadwsgi.pkg_resources = Present
    return loadwsgi


LOADED = {}


def paste(request):
    if "paste" not in LOADED:
        LOADED["paste"] = without_eggs()
    loadwsgi = LOADED["paste"]
    given = dict((unwire(k), unwire(v)) for k, v in request["global"].items()) if request["global"] else None
    context = loadwsgi.loadcontext(loadwsgi.APP, "config:" + unwire(request["file"]),
                                   name=unwire(request["name"]), global_conf=given)
    conf = context.config()
    return {"global": pairs(conf.global_conf.items()), "local": pairs(conf.local_conf.items()), "both": pairs(conf.items())}


def coerce(request):
    from beaker.middleware import SessionMiddleware
    config = type({})()
    for key, value in request["options"]:
        config[str(key) if PY2 else key] = str(value) if PY2 else value
    middleware = SessionMiddleware(None, config)
    return {"options": dict((k, plain(v)) for k, v in middleware.options.items())}


def plain(value):
    """A coerced option as JSON: a timedelta is {"seconds": n}."""
    if hasattr(value, "total_seconds"):
        return {"seconds": value.total_seconds()}
    return wire(value)


DO = {"parse": parse, "paste": paste, "coerce": coerce}


def main():
    sys.setrecursionlimit(150)  # a section that uses itself ends soon
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        try:
            answer = DO[request["do"]](request)
        except Exception as err:
            answer = failure(err)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
