"""Writes what PasteDeploy makes of the files of testdata/ini.

usage: cd testdata/ini; PYTHON ../../scripts/ini/expect.py *.ini > expected-N.jsonl

with the Python of an environment of scripts/setup-peers that has Paste: N is 2 for
py2.7-pastedeploy1.5.2, 3 for py3.13-pastedeploy3.1.0. There is one line for each
application of a file: what reference.py answers, with the directory as HERE. The test
TestLiveExpected compares the committed lines with those that it would write.
"""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
import reference  # noqa: E402

APPLICATION = re.compile(r"^\[(?:app|application|composite|composit|pipeline|filter-app):\s*(.+?)\s*\]", re.M)


def tidy(value):
    """Without the words of errors, and with the settings of Python 2, whose dicts have
    no order, sorted."""
    if isinstance(value, dict):
        value = dict((k, tidy(v)) for k, v in value.items() if k not in ("text", "line"))
        for name in ("global", "local", "both"):
            if reference.PY2 and name in value:
                value[name].sort()
    elif isinstance(value, list):
        value = [tidy(v) for v in value]
    return value


def rows(files, loadwsgi):
    here = os.getcwd()
    for name in files:
        with open(name) as f:
            apps = APPLICATION.findall(f.read())
        for app in sorted(set(apps), key=apps.index):
            answer = reference.paste_one(loadwsgi, os.path.join(here, name), app, None)
            text = json.dumps(tidy(dict(answer, file=name, app=app)), default=reference.composed, sort_keys=True)
            yield text.replace(here, "HERE")


def main():
    sys.setrecursionlimit(400)
    for row in rows(sys.argv[1:], reference.without_eggs()):
        print(row)


if __name__ == "__main__":
    main()
