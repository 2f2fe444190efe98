"""Tells which Beaker a Python has, and writes and reads a session with it.

gobeaker doctor runs it with the application's Python. It imports Beaker and the libraries
that Beaker may use, nothing of the application. Requests are lines of JSON on standard
input, because there are keys in them; each is answered with a line. It keeps to what
Python 2.7 and 3 have in common.

    {"do": "tell", "crypto_type": "...", "memcache_module": "..."}
    {"do": "write", "options": {...}, "values": {...}}
    {"do": "read", "options": {...}, "cookie": "..."}
"""
import json
import os
import re
import sys
import time
import warnings

PY2 = sys.version_info[0] == 2

# Whatever is imported may print: only the answers go where answers are read.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# What is told of versions besides Beaker's. Distributions are looked for by their files;
# nothing is imported.
DISTRIBUTIONS = """beaker cryptography pycryptodome pycrypto pycryptopp python-nss pycryptodomex pylibmc
    python-memcached python-binary-memcached redis pymongo sqlalchemy turbogears2 pyramid-beaker pylons ckan
    simplejson pastedeploy bottle paste""".split()


def native(value):
    """JSON's text as the str of this Python, as an ini has it."""
    if PY2 and isinstance(value, unicode):  # noqa: F821
        return value.encode("utf-8")
    return value


def failure(err):
    """What went wrong, without anything that may be in a session or a key."""
    kind = type(err)
    text = kind.__name__
    harmless = (kind.__module__ or "").startswith("beaker.") or isinstance(err, ImportError)
    if harmless or (kind.__module__, kind.__name__) in (("zlib", "error"), ("binascii", "Error")):
        said = str(err).strip().split("\n")[0]
        if said:
            text += ": " + said[:300]
    return text


def same(name):
    return re.sub("[-_.]+", "-", name).lower()


def distributions():
    """{name: (version, directory)} of what is on the path, the first one first."""
    found = {}
    for place in sys.path:
        if place.endswith(".egg"):
            add(found, os.path.basename(place)[:-4], place)
        try:
            names = os.listdir(place or ".")
        except (OSError, IOError):
            continue
        for name in names:
            base, ending = os.path.splitext(name)
            if ending in (".dist-info", ".egg-info"):
                add(found, base, place)
    return found


def add(found, base, place):
    parts = base.split("-")
    for n in range(1, len(parts)):
        if parts[n][:1].isdigit():
            name, version = same("-".join(parts[:n])), parts[n]
            found.setdefault(name, (version, place))
            return


def module_of(library):
    """The module by which some Beaker comes to a library for AES."""
    return {
        "nss": "nss.nss",
        "pycryptopp": "pycryptopp.cipher.aes",
        "pycrypto": "Crypto.Cipher.AES",
        "cryptography": "cryptography.hazmat.primitives.ciphers",
    }[library]


def tried(name):
    """(it is there, why it cannot be imported)"""
    try:
        __import__(name)
    except ImportError as err:
        return False, missing(err, name)
    except Exception as err:  # a library of C that is broken fails as it likes
        return True, failure(err)
    return True, ""


def missing(err, name):
    """Why it cannot be imported, "" if it is only not there."""
    text = str(err)
    top = name.split(".")[0]
    if isinstance(err, ImportError) and "No module named" in text and re.search(r"\b%s\b" % re.escape(top), text):
        return ""
    return failure(err)


def crypto(crypto_type):
    """The libraries, and which of them this Beaker takes."""
    libraries = []
    for name in ["nss", "pycryptopp", "pycrypto", "cryptography"]:
        there, error = tried(module_of(name))
        libraries.append({"name": name, "there": there and not error, "error": error})
    takes, why = "", ""
    try:
        takes = taken(crypto_type)
    except Exception as err:
        why = failure(err)
    return libraries, takes, why


def taken(crypto_type):
    """What this Beaker encrypts with, "" for nothing."""
    import beaker.crypto
    if hasattr(beaker.crypto, "get_crypto_module"):  # from 1.9 on
        module = beaker.crypto.get_crypto_module(native(crypto_type) or "default")
        if not module.has_aes:
            return ""
        return library(module)
    if hasattr(beaker.crypto, "aesEncrypt"):
        return library(sys.modules[beaker.crypto.aesEncrypt.__module__])
    import beaker.session
    if getattr(beaker.session, "crypto_ok", False):  # 1.3
        return "pycryptopp"
    return ""


def library(module):
    name = module.__name__.split(".")[-1]
    if name == "pycrypto":
        aes = getattr(module, "aes", None)
        return "pycryptopp" if aes is not None and aes.__name__.startswith("pycryptopp") else "pycrypto"
    return {"nsscrypto": "nss", "pyca_cryptography": "cryptography"}.get(name, name)


def memcached(module):
    """The clients that are there, and which of them this Beaker takes."""
    clients, first = [], ""
    for name in ["pylibmc", "cmemcache", "memcache", "bmemcached"]:
        there, error = tried(name)
        if there or error:
            clients.append({"name": name, "there": not error, "error": error})
        if there and not error and not first:
            first = name
    takes = first if native(module) in ("", "auto", None) else native(module)
    if takes not in [c["name"] for c in clients if c["there"]]:
        takes = ""
    return clients, takes


def tell(request):
    answer = {"python": "%d.%d.%d" % sys.version_info[:3], "time": time.time()}
    dists = distributions()
    versions = dict((name, dists[name][0]) for name in DISTRIBUTIONS if name in dists)
    answer["packages"] = versions
    answer["clients"], answer["client"] = memcached(request.get("memcache_module"))
    answer["libraries"], answer["takes"], answer["takes_not"] = [], "", ""
    try:
        import beaker
    except Exception as err:
        answer["beaker"], answer["from"] = "", ""
        answer["error"] = missing(err, "beaker")
        return answer
    answer["from"] = os.path.dirname(os.path.abspath(beaker.__file__ or ""))
    version, place = dists.get("beaker", ("", ""))
    if os.path.dirname(answer["from"]) != os.path.abspath(place):  # it comes from elsewhere
        version = ""
    answer["beaker"] = version or getattr(beaker, "__version__", "")
    answer["libraries"], answer["takes"], answer["takes_not"] = crypto(request.get("crypto_type"))
    return answer


def session(request, cookie):
    from beaker import session as sessions
    options = dict((native(name), native(value)) for name, value in request["options"].items())
    kind = sessions.Session
    if options.get("type") == "cookie":
        kind = sessions.CookieSession
    headers = {"cookie_out": None}
    if cookie:
        headers["cookie"] = native(cookie)
    return kind(headers, **options), headers


def write(request):
    s, headers = session(request, None)
    for name, value in request["values"].items():
        s[native(name)] = value
    s.save()
    return {"cookie": str(headers["cookie_out"] or "")}


def read(request):
    s, _ = session(request, request["cookie"])
    return {
        "new": bool(getattr(s, "is_new", False)),
        "values": dict((name, s.get(native(name))) for name in request["names"]),
    }


def main():
    warnings.simplefilter("ignore")
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        try:
            answer = {"tell": tell, "write": write, "read": read}[request["do"]](request)
        except Exception as err:
            answer = {"failed": failure(err)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
