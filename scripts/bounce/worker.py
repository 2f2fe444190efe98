"""The Python side of a session that bounces between Python and Go.

It runs requests in a framework's own stack (stacks.py): each tells what the
session holds, changes it as it is told, and saves it.

The test (compat/bounce) sends JSON on standard input, one object per line, and
each is answered with one line:

    {"stack": "pyramid", "options": {...}}
        a new application with these options of Beaker (beakeroptions.py). Answer: {}
    {"cookie": "...", "changes": [{"do": "set", "path": [key, ...], "value": ...}, ...]}
        one request with this Cookie header. Answer: {"session": what it held at
        the beginning, without Beaker's own keys, "own": some of those,
        "set_cookie": [the headers], "error": null or what went wrong}

Keys and values are in tagged JSON (taggedjson.py). A path leads through dicts,
lists and tuples to what is changed: "set" and "del" an item, "append" to a list,
"add" to and "discard" from a set.
"""
import json
import os
import sys
import traceback
import warnings
from wsgiref.util import setup_testing_defaults

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import beakeroptions  # noqa: E402
import stacks  # noqa: E402
import taggedjson  # noqa: E402

OWN = ("_id", "_creation_time")


def change(session, do, path, value):
    """Changes a session, or in place what is in it."""
    path = [taggedjson.decode(step) for step in path]
    value = value and taggedjson.decode(value)
    holder = session
    for step in path[:-1]:
        holder = holder[step]
    if do == "set":
        holder[path[-1]] = value
    elif do == "del":
        del holder[path[-1]]
    else:
        getattr(holder[path[-1]], do)(value)


class Worker(object):
    def __init__(self):
        self.application = self.changes = self.found = None

    def start(self, stack, options):
        self.application = stacks.MAKERS[stack](beakeroptions.made(options), self.run)
        return {}

    def run(self, session):
        """What the application does with the session of a request."""
        keys = list(session.keys())
        self.found = {
            "session": taggedjson.encode(dict((k, session[k]) for k in keys if not k.startswith("_"))),
            "own": dict((k, session[k]) for k in OWN if k in keys),
        }
        for c in self.changes:
            change(session, c["do"], c["path"], c.get("value"))
        session.save()

    def request(self, cookie, changes):
        self.changes, self.found = changes, {}
        sent, status = [], []

        def start_response(line, headers, exc_info=None):
            status.append(line)
            sent.extend(value for name, value in headers if name.lower() == "set-cookie")

        environ = {"PATH_INFO": "/index"}
        if cookie:
            environ["HTTP_COOKIE"] = beakeroptions.native(cookie)
        setup_testing_defaults(environ)
        error = None
        try:
            body = self.application(environ, start_response)
            text = b"".join(body)
            if hasattr(body, "close"):
                body.close()
            if not status[-1].startswith("200") or text != b"done":
                error = "%s %r" % (status, text)
        except Exception:
            error = traceback.format_exc()
        return dict(self.found, set_cookie=sent, error=error)


def main():
    warnings.simplefilter("ignore")
    # The answers go where the test reads them, and nothing else does.
    answers, sys.stdout = sys.stdout, sys.stderr
    worker = Worker()
    for line in iter(sys.stdin.readline, ""):
        command = json.loads(line)
        if "stack" in command:
            answer = worker.start(command["stack"], command["options"])
        else:
            answer = worker.request(command["cookie"], command["changes"])
        answers.write(taggedjson.compact(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
