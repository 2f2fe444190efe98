"""One of several processes that change the same sessions at the same time.

usage: python peerhammer.py '{"worker": "py0", "options": {...}}'

It reads commands, one per line, and answers each with one line of JSON:

    create N   makes N sessions; answers their ids
    ids JSON   the ids to work on
    locked [N] changes sessions until "pause", or N times, each under Beaker's own lock
    plain [N]  the same as applications do it, without a lock
    read [N]   only looks at them, while nobody in Python changes them
    pause      stops; answers what was done and what was found
    finish     the same once all N are done
    quit       ends

In each session a worker has two keys of its own. NAME is a counter, read, added
to and saved, so that a lost update shows as a smaller number at the next visit.
stamp:NAME is a number that this worker never writes twice, so a reader can tell
whether a Python process has saved since.
"""
import json
import random
import sys
import threading
import traceback

from beaker.session import Session

from beakeroptions import made, native


class Worker(object):
    def __init__(self, name, options):
        self.name, self.stamp = native(name), "stamp:" + native(name)
        self.options = made(options)
        self.ids, self.counts, self.seen, self.serial = [], {}, {}, 0
        self.stop, self.thread = threading.Event(), None
        self.tally()

    def tally(self):
        self.updates, self.lost, self.errors = 0, 0, []

    def open(self, id=None):
        return Session({}, id=id, use_cookies=False, **self.options)

    def create(self, number):
        ids = []
        for _ in range(number):
            session = self.open()
            session["made by"] = self.name
            session.save()
            ids.append(session.id)
        return ids

    def change(self, session):
        """Counts one up, and counts what was lost since the last visit."""
        known = self.counts.get(session.id, 0)
        found = session.get(self.name, 0)
        self.lost += max(0, known - found)
        self.serial += 1
        session[self.stamp] = self.serial
        session[self.name] = found + 1
        session.save()
        self.counts[session.id] = found + 1
        self.updates += 1

    def plain(self, id):
        """Load, change, save: another process may save in between."""
        session = self.open(id)
        if session.is_new:
            raise AssertionError("the session is gone")
        self.change(session)

    def locked(self, id):
        """The same under the session's lock. Beaker loads when the object is
        made, so what it has may be old once the lock is there: the record is
        read again. (Session.load would take the lock a second time.)"""
        session = self.open(id)
        session.lock()
        try:
            record = session.namespace["session"]
            if not isinstance(record, dict):  # Beaker 1.12 and later
                record = session._decrypt_data(record)
            session.clear()
            session.update(record)
            self.change(session)
        finally:
            session.unlock()

    def read(self, id):
        """Looks whether a session is whole and no counter in it has gone back."""
        session = self.open(id)
        if session.is_new:
            raise AssertionError("the session is gone")
        found = dict((key, session[key]) for key in session if isinstance(session[key], int))
        before = self.seen.get(id, {})
        self.lost += sum(1 for key in before if found.get(key, -1) < before[key])
        self.seen[id] = found
        self.updates += 1

    def start(self, how, visits):
        self.stop.clear()
        self.tally()
        self.seen = {}
        self.thread = threading.Thread(target=self.loop, args=(getattr(self, how), visits))
        self.thread.daemon = True
        self.thread.start()

    def loop(self, visit, visits):
        while not self.stop.is_set() and (visits is None or self.updates < visits):
            try:
                visit(random.choice(self.ids))
            except Exception:
                self.errors.append(traceback.format_exc())
                if len(self.errors) >= 5:
                    return

    def pause(self):
        self.stop.set()
        return self.finish()

    def finish(self):
        self.thread.join()
        return {"worker": self.name, "updates": self.updates, "lost": self.lost,
                "errors": self.errors, "counts": self.counts}


def main(settings):
    worker = Worker(settings["worker"], settings["options"])
    for line in iter(sys.stdin.readline, ""):
        command, _, argument = line.strip().partition(" ")
        answer = {}
        if command == "create":
            answer = worker.create(int(argument))
        elif command == "ids":
            worker.ids = [native(id) for id in json.loads(argument)]
        elif command in ("locked", "plain", "read"):
            worker.start(command, int(argument) if argument else None)
        elif command in ("pause", "finish"):
            answer = getattr(worker, command)()
        elif command == "quit":
            return
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
