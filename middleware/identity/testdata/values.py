"""Writes specimens of values as Python pickles them, and what Python itself says of them.

Each line of the output is JSON: "pickle" in hexadecimal, "protocol", "true" (bool of the
value), "path" and "text": the text of the value, or of what is at the path in it, by the
rules of package identity; null if there is none.
"""
from __future__ import print_function

import binascii
import collections
import datetime
import decimal
import json
import pickle
import sys
import uuid

PY2 = sys.version_info[0] == 2
if PY2:
    bytes_types = (str, bytearray)
    integers = (int, long)  # noqa: F821
    text_type = unicode  # noqa: F821
else:
    bytes_types = (bytes, bytearray)
    integers = (int,)
    text_type = str


class User(object):
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted(object):
    __slots__ = ("name", "__dict__")

    def __init__(self, name):
        self.name = name


class Old:  # an old-style class in Python 2
    def __init__(self, name):
        self.name = name


class Bunch(dict):
    pass


class Groups(list):
    pass


class Tags(set):
    pass


class Level(int):
    pass


class Markup(text_type):
    pass


def scalar(value):
    """The text of a value without parts; None if it has none."""
    if isinstance(value, bool):
        return u"true" if value else u"false"
    if isinstance(value, text_type):
        return value
    if isinstance(value, bytes_types):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            return None
    if isinstance(value, integers):
        return u"%d" % value
    if isinstance(value, float):
        return text_type(repr(value))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return text_type(value.isoformat())
    if isinstance(value, datetime.timedelta):
        return text_type(repr(value.total_seconds()))
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return text_type(str(value))
    return None


def told(value):
    if value is None:
        return u""
    if type(value) in (Level, Markup, Tags) or type(value) is Groups and not value:
        return None  # what only their class can tell
    if isinstance(value, (list, tuple, collections.deque)):
        members = [scalar(v) for v in value if v is not None]
    elif isinstance(value, (set, frozenset)):
        members = [scalar(v) for v in value]
        if None not in members:
            members.sort(key=lambda m: m.encode("utf-8"))
    else:
        return scalar(value)
    if None in members or any(u"," in m for m in members):
        return None
    return u",".join(m for m in members if m)


zone = []
if not PY2:
    zone = [
        datetime.datetime(2023, 11, 14, 22, 13, 20, 5, datetime.timezone.utc),
        datetime.datetime(2023, 11, 14, 22, 13, 20, 0, datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))),
    ]
    if sys.version_info >= (3, 7):
        zone.append(datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=3723))))

SPECIMENS = [
    (value, "", value)
    for value in [
        None, True, False, 0, 1, -7, 2 ** 31, 2 ** 63, -2 ** 70, 0.0, -0.0, 1.5, 1e16, 1e-5, 1e300, float("inf"), float("nan"),
        0j, 1 + 2j, u"", u"eve", u"Zo\xeb", u"\u4f60\u597d", u"a,b", b"", b"eve", b"Zo\xc3\xab", b"Zo\xeb",
        bytearray(b""), bytearray(b"eve"), [], [0], [None], [u"b", u"a", b"c", 1, True, 1.5], [u"a,b"], [[u"a"]], (), (u"a", u"b"),
        set(), set([u"b", u"a", 10, 9]), frozenset(), frozenset([u"b", u"a"]), {}, {u"a": 1},
        collections.OrderedDict(), collections.OrderedDict([(u"a", 1)]), collections.defaultdict(list), collections.Counter(), collections.Counter(u"aab"),
        collections.deque(), collections.deque([u"b", u"a"]), collections.deque([u"a", u"b", u"c"], 2),
        datetime.datetime(2023, 11, 14, 22, 13, 20), datetime.datetime(2023, 11, 14, 22, 13, 20, 123456), datetime.datetime.min,
        datetime.date(2024, 2, 29), datetime.time(1, 2, 3, 4), datetime.time(12, 0), datetime.timedelta(0), datetime.timedelta(1, 5),
        datetime.timedelta(microseconds=-1), datetime.timedelta.max, datetime.timedelta.min, datetime.timedelta(123456, 78901, 234567),
        decimal.Decimal("0"), decimal.Decimal("-0.00"), decimal.Decimal("0E+7"), decimal.Decimal("1.10"), decimal.Decimal("1E-7"),
        decimal.Decimal("NaN"), decimal.Decimal("Infinity"), uuid.UUID(int=0), uuid.UUID("12345678-1234-5678-1234-567812345678"),
        User(name=u"eve"), Old(u"eve"), Bunch(), Bunch(a=1), Groups([u"a"]), Tags([u"a"]), Groups(),
        Level(0), Level(7), Markup(u""), Markup(u"eve"), len, User,
    ]
    + zone
]

nested = {
    u"user": User(name=u"eve", groups=[u"a", u"b"], manager=User(name=u"ann")),
    "old": Old(u"old eve"),
    u"ordered": collections.OrderedDict([(u"k", u"v")]),
    u"default": collections.defaultdict(list, {u"k": u"v"}),
    u"bunch": Bunch(name=u"item"),
    u"groups": Groups([u"x", u"y"]),
    u"list": [u"first", {u"deep": (1, 2, u"three")}],
    7: u"seven",
    b"raw": u"bytes",
    u"dot.ted": u"dotted",
}
for path, value in [
    ("user.name", u"eve"), ("user.groups", [u"a", u"b"]), ("user.groups.1", u"b"), ("user.manager.name", u"ann"), ("old.name", u"old eve"),
    ("ordered.k", u"v"), ("default.k", u"v"), ("bunch.name", u"item"), ("groups.0", u"x"), ("list.1.deep.2", u"three"), ("7", u"seven"),
    ("raw", u"bytes"), ("dot\\.ted", u"dotted"),
]:
    SPECIMENS.append((nested, path, value))


def main():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        specimens = list(SPECIMENS)
        if protocol >= 2:
            specimens.append((Slotted(u"slot"), "name", u"slot"))
        for value, path, found in specimens:
            line = {
                "pickle": binascii.hexlify(pickle.dumps(value, protocol)).decode("ascii"), "protocol": protocol,
                "true": bool(value), "path": path, "text": told(found), "repr": repr(value)[:80],
            }
            print(json.dumps(line, sort_keys=True))


main()
