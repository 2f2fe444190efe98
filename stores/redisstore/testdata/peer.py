"""Answers questions of the live tests with the redis-py and the Beaker that it runs on.

Reads one JSON document from standard input and writes one to standard output.
"""
from __future__ import unicode_literals

import json
import sys


def parse(urls):
    """What redis-py makes of each url, up to the point where it would connect."""
    import redis
    answers = []
    for url in urls:
        try:
            pool = redis.ConnectionPool.from_url(str(url))
            kwargs = dict(pool.connection_kwargs)
            pool.connection_class(**kwargs)  # refuses what it does not know
        except Exception as error:
            answers.append({"error": type(error).__name__})
            continue
        wanted = ("host", "port", "db", "username", "password", "path", "socket_timeout", "socket_connect_timeout", "client_name")
        answer = dict((k, kwargs[k]) for k in wanted if kwargs.get(k) is not None)
        answer["class"] = pool.connection_class.__name__
        answer["max_connections"] = pool.max_connections
        answers.append(answer)
    return answers


def session(options, id, values, drop):
    """Loads a session by Beaker, changes it and saves it."""
    from beaker.session import Session
    request = {"cookie": str("beaker.session.id=" + id)}
    native = dict((str(k), v if isinstance(v, int) else str(v)) for k, v in options.items())
    s = Session(request, use_cookies=True, **native)
    before = dict((k, v) for k, v in s.items() if not k.startswith("_"))
    new = bool(s.is_new)
    if drop:
        s.delete()
    else:
        s.update(values)
        s.save()
    return {"id": s.id, "new": new, "before": before}


if __name__ == "__main__":
    question = json.load(sys.stdin)
    result = {"parse": parse, "session": session}[question.pop("do")](**dict((str(k), v) for k, v in question.items()))
    json.dump(result, sys.stdout)
