"""Which Python environments there are, with which releases: the data of setup-peers.

Every distribution is pinned, those that others need as well, so that an
environment is the same wherever it is made. Four groups:

  test        plain Beakers, what the live tests compare with
  stores      Beakers with the client libraries of its back ends, old and new ones
  frameworks  applications' frameworks with their own session wrappers, and Paste with
              the releases of PasteDeploy
  fixtures    every Beaker on every Python that runs it, each with one crypto
              library or with none (scripts/make-fixtures)
"""

CURRENT_BEAKER = "1.14.1"
RELEASED_AS = {"1.6.5": "1.6.5.post1"}
OLDEST_3 = (3, 8)  # of the live tests; the fixtures go back to 3.6

# What pip itself needs to build and to install, by the oldest Python it is for.
BUILD = [
    ((3, 8), ["pip==24.2", "setuptools==75.3.0", "wheel==0.45.1"]),
    ((3, 7), ["pip==24.0", "setuptools==68.0.0", "wheel==0.42.0"]),
    # setuptools 58 can no longer translate Python 2, as Beaker up to 1.7 needs it.
    ((3, 6), ["pip==21.3.1", "setuptools==57.5.0", "wheel==0.37.1"]),
    ((2, 7), ["pip==20.3.4", "setuptools==44.1.1", "wheel==0.37.1"]),
]
# What every environment has besides its Beaker.
BASE = [
    ((3, 8), ["setuptools==75.3.0", "PasteDeploy==3.1.0"]),
    ((3, 7), ["setuptools==68.0.0", "PasteDeploy==2.1.1"]),
    ((3, 6), ["setuptools==57.5.0", "PasteDeploy==2.1.1"]),
    ((2, 7), ["setuptools==44.1.1", "PasteDeploy==1.5.2", "funcsigs==1.0.2"]),
]
# The last virtualenv that makes environments of Python 2.7.
VIRTUALENV_27 = ["virtualenv==20.21.1"]

PYCRYPTODOME = [
    ((3, 9), ["pycryptodome==4.4.0"]),
    ((3, 7), ["pycryptodome==3.24.1"]),
    ((3, 6), ["pycryptodome==3.21.0"]),
    ((2, 7), ["pycryptodome==3.24.1"]),
]
CRYPTOGRAPHY = [
    ((3, 11), ["cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12"]),
    ((3, 10), ["cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.11", "typing-extensions==4.16.0"]),
    ((3, 9), ["cryptography==50.0.2", "cffi==2.0.0", "pycparser==2.23", "typing-extensions==4.16.0"]),
    ((3, 8), ["cryptography==47.0.0", "cffi==1.17.1", "pycparser==2.23", "typing-extensions==4.13.2"]),
    ((3, 7), ["cryptography==45.0.7", "cffi==1.15.1", "pycparser==2.21"]),
    ((3, 6), ["cryptography==40.0.2", "cffi==1.15.1", "pycparser==2.21"]),
    ((2, 7), ["cryptography==3.3.2", "cffi==1.15.1", "pycparser==2.21", "enum34==1.1.10",
              "ipaddress==1.0.23", "six==1.17.0"]),
]
# Built from source: a C compiler and Python's headers are needed.
PYCRYPTO = [((2, 7), ["pycrypto==2.6.1"])]
PYCRYPTOPP = [((2, 7), ["pycryptopp==0.7.1.869544967005693312591928092448767568728501330214"])]
# Not to be had by pip: Debian's python3-nss. {distribution: module}
NSS = {"python-nss": "nss"}

# The clients of Beaker's back ends. python-memcached chooses another server from 1.60
# on, and marks text from 1.59 on.
PYTHON_MEMCACHED = {
    "1.53": ["python-memcached==1.53"],
    "1.58": ["python-memcached==1.58", "six==1.17.0"],
    "1.59": ["python-memcached==1.59", "six==1.17.0"],
    "1.60": ["python-memcached==1.60", "six==1.17.0"],
    "1.62": ["python-memcached==1.62"],
}
REDIS = {v: ["redis==" + v] for v in ("3.5.3", "4.6.0", "5.2.1", "6.1.1", "8.1.0")}
ASYNC_TIMEOUT = [((3, 8), ["async-timeout==5.0.1"])]  # redis-py imports it where asyncio has no timeout
# Beaker up to 1.11 binds its queries to an engine, which SQLAlchemy 2.0 cannot.
SQLALCHEMY = {
    "1.3.24": ["SQLAlchemy==1.3.24"],
    "1.4.54": ["SQLAlchemy==1.4.54"],
    "2.0.58": ["SQLAlchemy==2.0.58", "typing-extensions==4.16.0"],
    "2.1.9": ["SQLAlchemy==2.1.9", "typing-extensions==4.16.0"],
}
# What SQLAlchemy 1.4 needs on Python 2.7.
IMPORTLIB_27 = [((2, 7), ["importlib-metadata==2.1.3", "zipp==1.2.0", "contextlib2==0.6.0.post1",
                          "pathlib2==2.3.7.post1", "configparser==4.0.2", "scandir==1.10.0", "typing==3.10.0.0",
                          "six==1.17.0"])]
# Drivers of databases; and MongoDB's, which has nothing that differs from Beaker to Beaker.
DRIVERS = [
    ((3, 10), ["psycopg2-binary==2.9.13", "PyMySQL==1.2.4", "pymongo==4.10.1", "dnspython==2.6.1"]),
    ((3, 8), ["psycopg2-binary==2.9.10", "PyMySQL==1.1.2", "pymongo==4.10.1", "dnspython==2.6.1"]),
    ((2, 7), ["psycopg2-binary==2.8.6", "PyMySQL==0.10.1", "pymongo==3.12.3"]),
]
# Built for Python up to 3.12. Where it is, Beaker up to 1.13 takes it before python-memcached.
PYLIBMC = [((3, 8), ["pylibmc==1.6.3"]), ((2, 7), ["pylibmc==1.6.1"])]
PYLIBMC_UP_TO = (3, 12)
# The machine's own: Debian's python3-pylibmc and python3-gdbm.
OWN_STORES = {"pylibmc": "pylibmc", "gdbm": "_gdbm"}

# [(Beaker, python-memcached, redis, SQLAlchemy)]
STORES_27 = [("1.6.5", "1.53", "", "1.3.24"), ("1.9.1", "1.58", "3.5.3", "1.3.24"),
             ("1.11.0", "1.59", "3.5.3", "1.3.24"), ("1.13.0", "1.59", "3.5.3", "1.4.54")]
STORES_OLDEST = [("1.11.0", "1.58", "4.6.0", "1.3.24"), ("1.13.0", "1.59", "6.1.1", "1.4.54")]
STORES_NEWEST = [("1.11.0", "1.59", "5.2.1", "1.4.54"), ("1.12.1", "1.60", "5.2.1", "1.4.54"),
                 ("1.13.0", "1.62", "8.1.0", "2.0.58"), (CURRENT_BEAKER, "1.62", "8.1.0", "2.1.9")]  # Python 3.10

# {library: (pins, the module that Beaker imports)}
CRYPTO = {
    "pycryptodome": (PYCRYPTODOME, "Crypto.Cipher.AES"),
    "cryptography": (CRYPTOGRAPHY, "cryptography.hazmat.primitives.ciphers"),
    "pycrypto": (PYCRYPTO, "Crypto.Cipher.AES"),
    "pycryptopp": (PYCRYPTOPP, "pycryptopp.cipher.aes"),
}

TURBOGEARS_25 = ["TurboGears2==2.5.1", "crank==0.9.0", "MarkupSafe==3.0.4", "repoze.lru==0.8", "WebOb==1.8.11",
                 "legacy-cgi==2.6.4"]
TURBOGEARS_24 = ["TurboGears2==2.4.3", "crank==0.8.1", "MarkupSafe==2.1.5", "repoze.lru==0.7", "WebOb==1.8.11"]
TURBOGEARS_23 = ["TurboGears2==2.3.12", "crank==0.8.1", "MarkupSafe==1.1.1", "repoze.lru==0.7", "WebOb==1.7.4",
                 "funcsigs==1.0.2"]
PYRAMID = ["pyramid==2.1", "pyramid_beaker==0.9", "hupper==1.12.1", "legacy-cgi==2.6.4", "plaster==1.1.2",
           "plaster-pastedeploy==1.0.1", "translationstring==1.4", "venusian==3.1.1", "WebOb==1.8.11",
           "zope.deprecation==6.0", "zope.interface==8.7"]
# What scripts/benchgateway measures forward-auth beside.
GUNICORN = ["gunicorn==27.0.1", "packaging==25.0"]
# PasteDeploy and Paste share the package "paste", so they are installed together.
PYLONS_10 = ["Pylons==1.0.3", "backports.functools-lru-cache==1.6.6", "beautifulsoup4==4.9.3", "decorator==4.4.2",
             "FormEncode==2.0.1", "funcsigs==1.0.2", "Mako==1.1.6", "MarkupSafe==1.1.1", "nose==1.3.7",
             "Paste==3.6.1", "PasteDeploy==1.5.2", "PasteScript==2.0.2", "Pygments==2.5.2", "repoze.lru==0.7",
             "Routes==2.5.1", "simplejson==4.3.0", "six==1.17.0", "soupsieve==1.9.6", "Tempita==0.5.2",
             "waitress==1.4.4", "WebError==0.13.1", "WebHelpers==1.3", "WebOb==1.8.11", "WebTest==2.0.35"]
# Paste's urlmap and cascade, with the releases of PasteDeploy that differ, or might.
PASTE_27 = ["Paste==3.6.1", "six==1.17.0", "funcsigs==1.0.2"]
PASTE_3 = ["Paste==3.10.1"]
PASTEDEPLOY_27 = ("1.5.2", "2.1.1")
PASTEDEPLOY_OLDEST = ("1.5.2", "2.0.1", "2.1.0", "2.1.1")
PASTEDEPLOY_NEWEST = ("3.1.0",)
PASTEDEPLOY_15_UP_TO = (3, 11)  # later, ConfigParser has no readfp


class Library(object):
    """Distributions that are installed together, in a folder of their own, for
    one Python. Environments share it."""

    def __init__(self, python, name, pins, environ):
        self.python, self.name, self.pins = python, name, pins
        self.environ = environ  # for its build


class Environment(object):
    """A Python with a Beaker and the libraries that are beside it."""

    def __init__(self, group, python, name, beaker, libraries, imports=(), borrows=()):
        self.group, self.python, self.beaker = group, python, beaker
        self.name = "py%d.%d-%s" % (python.kind + (name,))
        self.libraries, self.imports = libraries, ["beaker.middleware", "paste.deploy"] + list(imports)
        self.borrows = dict(borrows)   # modules that the machine's own Python may have
        self.optional = bool(borrows)  # nobody is to blame if it has not

    def pins(self):
        return [pin for library in self.libraries for pin in library.pins]


def pins_for(table, python):
    """The pins of a table for a Python; [] if it has none."""
    for oldest, pins in table:
        if python.kind >= oldest and python.kind[0] == oldest[0]:
            return pins
    return []


class Matrix(object):
    """All environments, of the Pythons that are there: {(major, minor): Python}.
    own is the machine's own Python, which may have modules that pip cannot make, or None."""

    def __init__(self, pythons, own):
        self.pythons, self.own = pythons, own
        self.libraries, self.environments = {}, []
        threes = sorted(kind for kind in pythons if kind >= OLDEST_3)
        self.newest, self.oldest = (pythons[threes[-1]], pythons[threes[0]]) if threes else (None, None)
        self.old = pythons.get((2, 7))
        self.tests()
        self.stores()
        self.frameworks()
        self.fixtures()

    def library(self, python, name, pins):
        # Its C++ is that of 1998, and its warnings are nobody's any more.
        environ = {"CFLAGS": "-std=gnu++98 -fpermissive -w"} if name == "pycryptopp" else {}
        return self.libraries.setdefault((python.version, name), Library(python, name, pins, environ))

    def add(self, group, python, name, beaker, crypto, more=(), imports=(), borrows=()):
        """Adds one environment; crypto names libraries, more is [(name, pins)]."""
        more = list(more) or [("base", pins_for(BASE, python))]
        release = RELEASED_AS.get(beaker, beaker)
        libraries = [self.library(python, "Beaker-" + beaker, ["Beaker==" + release])]
        libraries += [self.library(python, n, pins) for n, pins in more]
        libraries += [self.library(python, n, pins_for(CRYPTO[n][0], python)) for n in crypto]
        imports = [CRYPTO[n][1] for n in crypto] + list(imports)
        self.environments.append(Environment(group, python, name, beaker, libraries, imports, borrows))

    def tests(self):
        both = ["pycryptodome", "cryptography"]
        for python in sorted({self.newest, self.oldest} - {None}, key=lambda p: p.kind, reverse=True):
            for beaker in ("1.11.0", "1.12.1", "1.13.0", CURRENT_BEAKER):
                self.add("test", python, "beaker" + beaker, beaker, both)
        if (3, 6) in self.pythons:
            self.add("test", self.pythons[3, 6], "beaker1.8.1", "1.8.1", ["pycryptodome"])
        if self.old:
            # Up to 1.6.3 Beaker calls PyCrypto in a way that pycryptodome refuses.
            self.add("test", self.old, "beaker1.5.4", "1.5.4", ["pycrypto"])
            for beaker in ("1.6.4", "1.6.5", "1.8.1", "1.9.1", "1.11.0"):
                self.add("test", self.old, "beaker" + beaker, beaker, both)
        if self.own:
            for beaker in ("1.11.0", "1.13.0"):
                self.add("test", self.own, "nss-beaker" + beaker, beaker, [], borrows=NSS)

    def stores(self):
        new = self.newest and self.newest.kind >= (3, 10)
        for python, rows in ((self.newest if new else None, STORES_NEWEST), (self.old, STORES_27),
                             (None if new and self.oldest is self.newest else self.oldest, STORES_OLDEST)):
            for row in rows if python else []:
                self.clients(python, *row)
        for python, beakers in ((self.old, ("1.6.5", "1.11.0")), (self.oldest, ("1.11.0", "1.13.0"))):
            for beaker in beakers if python and python.kind <= PYLIBMC_UP_TO else []:
                more = [("base", pins_for(BASE, python)), ("pylibmc", pins_for(PYLIBMC, python))]
                self.add("stores", python, "pylibmc-beaker" + beaker, beaker, ["pycryptodome"], more, ["pylibmc"])
        if self.own:
            for beaker in ("1.11.0", "1.13.0"):
                self.add("stores", self.own, "own-pylibmc-beaker" + beaker, beaker, ["pycryptodome"],
                         imports=["pylibmc", "dbm.gnu"], borrows=OWN_STORES)

    def clients(self, python, beaker, memcached, redis, sqlalchemy):
        """Adds the environment of a Beaker with the clients of all back ends that it has."""
        more = [("base", pins_for(BASE, python)), ("python-memcached-" + memcached, PYTHON_MEMCACHED[memcached]),
                ("SQLAlchemy-" + sqlalchemy, SQLALCHEMY[sqlalchemy] + pins_for(IMPORTLIB_27, python)),
                ("drivers", pins_for(DRIVERS, python))]
        imports = ["memcache", "sqlalchemy", "psycopg2", "pymysql", "pymongo"]
        if redis:
            more.append(("redis-" + redis, REDIS[redis] + pins_for(ASYNC_TIMEOUT, python)))
            imports.append("redis")
        self.add("stores", python, "stores-beaker" + beaker, beaker, ["pycryptodome"], more, imports)

    def frameworks(self):
        def add(python, name, beaker, pins, imports):
            if python:
                base = [] if any(p.startswith("PasteDeploy") for p in pins) else pins_for(BASE, python)[1:]
                more = [("setuptools", pins_for(BASE, python)[:1]), (name, base + pins)]
                self.add("frameworks", python, name, beaker, ["pycryptodome"], more, imports)

        add(self.newest, "turbogears2.5", "1.13.0", TURBOGEARS_25, ["tg.appwrappers.session"])
        add(self.newest, "pyramid", CURRENT_BEAKER, PYRAMID, ["pyramid_beaker"])
        add(self.oldest, "turbogears2.4", "1.12.1", TURBOGEARS_24, ["tg.appwrappers.session"])
        add(self.old, "turbogears2.3", "1.11.0", TURBOGEARS_23, ["tg.appwrappers.session"])
        add(self.old, "pylons1.0", "1.6.4", PYLONS_10, ["pylons.wsgiapp", "webhelpers.pylonslib"])
        add(self.newest, "gunicorn", CURRENT_BEAKER, GUNICORN, ["gunicorn.app.wsgiapp"])
        for python, paste, releases in ((self.newest, PASTE_3, PASTEDEPLOY_NEWEST),
                                        (self.oldest, PASTE_3, PASTEDEPLOY_OLDEST),
                                        (self.old, PASTE_27, PASTEDEPLOY_27)):
            for release in releases:
                if python and (release != "1.5.2" or python.kind <= PASTEDEPLOY_15_UP_TO):
                    add(python, "pastedeploy" + release, "1.11.0", paste + ["PasteDeploy==" + release],
                        ["paste.urlmap", "paste.cascade"])

    def fixtures(self):
        def add(python, beaker, crypto, borrows=()):
            name = "beaker%s-%s" % (beaker, "nss" if borrows else crypto or "none")
            self.add("fixtures", python, name, beaker, [crypto] if crypto else [], borrows=borrows)

        for kind, python in sorted(self.pythons.items()):
            for beaker in beakers_of(kind):
                add(python, beaker, "")
                if number(beaker) >= (1, 6, 4):  # before, it is called in a way that only PyCrypto takes
                    add(python, beaker, "pycryptodome")
                if number(beaker) >= (1, 9):
                    add(python, beaker, "cryptography")
                if kind == (2, 7) and number(beaker) < (1, 7):
                    add(python, beaker, "pycrypto")
                    add(python, beaker, "pycryptopp")
        if self.own:
            for beaker in beakers_of(self.own.kind):
                if (1, 10) <= number(beaker) < (1, 14):  # 1.9 fails with nss, 1.14 knows it no more
                    add(self.own, beaker, "", NSS)


def number(beaker):
    return tuple(int(n) for n in beaker.split("."))


def beakers_of(kind):
    """The releases of the fixtures that run on a Python, (major, minor)."""
    if kind == (2, 7):
        return ["1.3", "1.5.4", "1.6.3", "1.6.4", "1.6.5", "1.7.0", "1.8.0", "1.8.1", "1.9.1", "1.10.1", "1.11.0",
                "1.12.1", "1.13.0"]
    releases = ["1.9.1", "1.10.1", "1.11.0", "1.12.1", "1.13.0"]
    if kind == (3, 6):
        releases = ["1.7.0", "1.8.0", "1.8.1", "1.9.0"] + releases
    return releases + ([CURRENT_BEAKER] if kind >= OLDEST_3 else [])
