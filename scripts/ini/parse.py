"""What ConfigParser makes of many ini files.

The reference that the parser of package iniconf is compared with. It runs on
Python 2.7 and 3 and answers each line of its input (JSON) with one line, in
order, without waiting:

  {"text": bytes as Latin-1} or {"file": path}
      -> {"sections": [name, ...],
          "values": [[section, key, raw, text or {"error": class}], ...]}
      or {"error": class, "lines": [n, ...]}

Answers of Python 2 carry its 8-bit strings as Latin-1. What ConfigParser.get
returns is left out (null) where it is the raw value.
"""
import io
import json
import sys
import time
import warnings

PY2 = sys.version_info[0] == 2
if PY2:
    import ConfigParser as configparser
else:
    import configparser

warnings.simplefilter("ignore")


class WholeSection(Exception):
    """A conversion without a name stands for the section as a whole."""


def refuse(self):
    raise WholeSection()


if PY2:
    configparser._Chainmap.__repr__ = refuse


def opened(request):
    """The text as open() gives it to ConfigParser."""
    if "file" in request:
        return open(request["file"]) if PY2 else io.open(request["file"], encoding="utf-8")
    data = io.BytesIO(request["text"].encode("latin-1"))
    return data if PY2 else io.TextIOWrapper(data, encoding="utf-8")


def wire(value):
    return value.decode("latin-1") if PY2 else value


def lines_of(err):
    """The lines that one of ConfigParser's errors names."""
    if getattr(err, "errors", None):
        return [line for line, _ in err.errors]
    line = getattr(err, "lineno", None)
    return [] if line is None else [line]


def read(request):
    parser = configparser.ConfigParser()
    parser.optionxform = str
    with opened(request) as f:
        (parser.readfp if PY2 else parser.read_file)(f)
    return parser


def answer(request):
    try:
        parser = read(request)
    except Exception as err:
        return {"error": type(err).__name__, "lines": lines_of(err)}
    values = []
    for name, options in [("DEFAULT", parser._defaults)] + list(parser._sections.items()):
        for key, raw in options.items():
            try:
                value = parser.get(name, key)
                result = None if value == raw else wire(value)
            except Exception as err:
                result = {"error": type(err).__name__}
            values.append([wire(name), wire(key), wire(raw), result])
    return {"sections": [wire(name) for name in parser.sections()], "values": values}


def main():
    if len(sys.argv) > 1:  # a file to be read for time
        begin = time.time()
        read({"file": sys.argv[1]})
        print("%.1f ms" % ((time.time() - begin) * 1000))
        return
    for line in iter(sys.stdin.readline, ""):
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
