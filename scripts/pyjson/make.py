"""What this Python's json module makes of values and of texts.

    python make.py [SEED [COUNT]] > corpus.jsonl

One JSON object a line. A line with "value" and "text": json.dumps writes the
value (tagged JSON) as the text; with "value" and "error" it refuses it. A line
with "input" (UTF-8 in hex) and "value": json.loads makes the value of it; with
"input" and "error" it refuses it. The same seed gives the same lines, so that
testdata/json can be made again. Runs on Python 2.7 and 3.
"""
import codecs
import datetime
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import taggedjson  # noqa: E402

PY2 = sys.version_info[0] == 2
CHARACTERS = [
    u"a", u"Z", u"0", u" ", u"'", u'"', u"\\", u"/", u"\b", u"\f", u"\n", u"\r", u"\t", u"\x00", u"\x1f",
    u"\x7f", u"\x80", u"\xa0", u"\xe9", u"\u2028", u"\u20ac", u"\ufeff", u"\ufffd", u"\uffff", u"\U0001f36a",
    u"\U0010ffff", u"\ud83c", u"\udf6a", u"\udc80",
]
FLOATS = [
    0.0, -0.0, 1.0, -1.5, 0.1, 1e16, 9999999999999998.0, 1e-4, 1e-5, 1e22, 1e23, 1.7976931348623157e308,
    5e-324, 2.2250738585072014e-308, float("inf"), float("-inf"), float("nan"), 1700000000.25,
]
MARKS = list(u'{}[]",:\\/u0123456789abcdefE+-.tfnNI \t\n\r\x0b\x0c\x00\xa0\ufeff\u0661') + [
    u"null", u"true", u"NaN", u"-Infinity", u"\\ud83c", u"\\udf6a", u"\\x", u"1e5", u"1e999", u"-0", u"01", u"{}", u",]",
]


class Maker(object):
    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, n):
        return int(self.random() * n)

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def text(self):
        return u"".join(self.pick(CHARACTERS) for _ in range(self.below(8)))

    def integer(self):
        n = self.below(2 ** 30)
        for _ in range(self.pick([0, 0, 0, 1, 2, 10])):
            n = n * 2 ** 30 + self.below(2 ** 30)
        return self.pick([n, -n, self.below(10)])

    def real(self):
        if self.below(3) == 0:
            return self.pick(FLOATS)
        return (self.random() - 0.5) * 10.0 ** (self.below(40) - 20)

    def native(self):
        """Python 2's str; elsewhere text."""
        text = self.text()
        if PY2 and self.below(2):
            return text.encode("utf-8")
        return text

    def scalar(self):
        kind = self.below(6)
        if kind == 0:
            return self.pick([None, True, False])
        if kind == 1:
            return self.integer()
        if kind == 2:
            return self.real()
        return self.native()

    def key(self):
        key = self.scalar() if self.below(4) == 0 else self.native()
        if PY2 and isinstance(key, bool):
            return int(key)  # Python 2 writes True as "True" here, Python 3 as "true"
        return key

    def odd(self):
        """A value, or a dict with a key, that json does not write."""
        return self.pick([
            1j, set([1]), frozenset(), bytearray(b"x"), datetime.date(2024, 2, 29), {(1, 2): 3},
            b"\xff", {b"\xff": 1},
        ])

    def value(self, depth):
        kind = self.below(8) if depth else 7
        if kind < 2:
            return [self.value(depth - 1) for _ in range(self.below(4))]
        if kind == 2:
            return tuple(self.value(depth - 1) for _ in range(self.below(3)))
        if kind < 6:
            return dict((self.key(), self.value(depth - 1)) for _ in range(self.below(5)))
        if kind == 6 and self.below(12) == 0:
            return self.odd()
        return self.scalar()

    def spoilt(self, text):
        chars = list(text)
        for _ in range(1 + self.below(3)):
            at = self.below(len(chars) + 1)
            chars[at:at + self.below(3)] = [self.pick(MARKS)] * self.below(2)
        return u"".join(chars)


def dumps(value):
    line = {"value": taggedjson.encode(value)}
    try:
        line["text"] = json.dumps(value)
    except (TypeError, UnicodeDecodeError):
        line["error"] = True
    return line


def loads(text):
    line = {"input": codecs.encode(text.encode("utf-8"), "hex").decode("ascii")}
    try:
        line["value"] = taggedjson.encode(json.loads(text))
    except ValueError:
        line["error"] = True
    return line


def clean(text):
    """Text without lone surrogates, which no UTF-8 holds."""
    return u"".join(c for c in text if not u"\ud800" <= c <= u"\udfff")


def main(seed, count):
    maker = Maker(seed)
    for _ in range(count):
        value = maker.value(4)
        line = dumps(value)
        print(json.dumps(line, sort_keys=True))
        if "text" not in line:
            continue
        plain = clean(loose(value))
        for text in (plain, maker.spoilt(line["text"]), clean(maker.spoilt(plain))):
            print(json.dumps(loads(u"" + text), sort_keys=True))
    print(json.dumps({"version": list(sys.version_info[:2])}))


def loose(value):
    """The same value in another spelling: not all escaped, other whitespace."""
    text = json.dumps(value, indent=1)
    for c in (u"\xe9", u"\u2028", u"\u20ac", u"\xa0", u"\x7f", u"\ufeff"):
        text = text.replace("\\u%04x" % ord(c), c)
    return text.replace("/", "\\/")


if __name__ == "__main__":
    main(*([int(n) for n in sys.argv[1:]] + [1, 300][len(sys.argv) - 1:]))
