"""Writes and reads sessions as Beaker does in memcached.

The test sends JSON on standard input, one object per line, and each is answered
with one line:

    {"url": "host:port;host:port", "module": "memcache", "behaviors": {...}}
        opens a client of that library, a new one. Answer: {}

    {"set": {id: value, ...}}
        writes values under 'session'. Answer: {"errors": {id: the exception}}

    {"get": [id, ...]}
        Answer: {"values": {id: value or null}, "errors": {...}}

    {"forget": true}
        dead servers are to be tried again, as after 30 seconds. Answer: {}

An id that cannot be read or written is in "errors", by the repr of the exception.
"""
import json
import sys
import warnings

from beaker.ext import memcached
from beaker.ext.memcached import MemcachedNamespaceManager

PY2 = sys.version_info[0] == 2


def native(value):
    """JSON's text as the str of this Python, which is what Beaker writes."""
    if PY2 and isinstance(value, unicode):  # noqa: F821
        return value.encode("utf-8")
    if isinstance(value, dict):
        return dict((native(k), native(v)) for k, v in value.items())
    return value


def shown(value):
    """bytes, such as a Python 3 has of a text without flags, as text."""
    return value.decode("ascii") if isinstance(value, bytes) else value


class Client:
    def open(self, request):
        MemcachedNamespaceManager.clients.clear()
        pools = getattr(getattr(memcached, "PyLibMCNamespaceManager", None), "pools", None)
        if pools is not None:  # 1.7 to 1.13
            pools.clear()
        self.options = {"url": native(request["url"]), "memcache_module": native(request["module"])}
        for name, value in request.get("behaviors", {}).items():
            self.options[native("behavior." + name)] = native(value)
        return {}

    def namespace(self, session_id):
        return MemcachedNamespaceManager(native(session_id), **self.options)

    def set(self, request):
        errors = {}
        for session_id, value in request["set"].items():
            try:
                self.namespace(session_id)["session"] = native(value)
            except Exception as err:
                errors[session_id] = repr(err)
        return {"errors": errors}

    def get(self, request):
        values, errors = {}, {}
        for session_id in request["get"]:
            try:
                values[session_id] = shown(self.namespace(session_id)["session"])
            except Exception as err:
                errors[session_id] = repr(err)
        return {"values": values, "errors": errors}

    def forget(self, request):
        self.namespace("x").mc.forget_dead_hosts()
        return {}


def main():
    warnings.simplefilter("ignore")
    client = Client()
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        for verb in ("set", "get", "forget", "url"):
            if verb in request:
                answer = getattr(client, "open" if verb == "url" else verb)(request)
                break
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
