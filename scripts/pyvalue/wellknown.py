"""Well-known classes through this Python's pickle, for the tests of pyvalue.

    python wellknown.py dump
        writes lines of JSON: values of the classes, pickled at each protocol
        ("pickle", in hex), and what they are ("value", tagged JSON)
    python wellknown.py load < LINES
        reads pickles, a line of hex each, and writes what they are, a line of
        tagged JSON each

Runs on Python 2.7 and 3.
"""
import codecs
import collections
import datetime
import decimal
import json
import os
import pickle
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import taggedjson  # noqa: E402

PY2 = sys.version_info[0] == 2
if PY2:
    import cPickle
    PICKLERS = [pickle, cPickle]
else:
    PICKLERS = [pickle]


def values():
    noon = datetime.datetime(2023, 11, 14, 22, 13, 20, 123456)
    plain = [
        noon, noon.replace(microsecond=0), datetime.datetime.min, datetime.datetime.max,
        datetime.date(2024, 2, 29), datetime.date.min, datetime.date.max,
        datetime.time(1, 2, 3, 4), datetime.time.min, datetime.time.max,
        datetime.timedelta(-1, 5, 7), datetime.timedelta.min, datetime.timedelta.max, datetime.timedelta(),
        decimal.Decimal("1.10"), decimal.Decimal("-0E+5"), decimal.Decimal("NaN"), decimal.Decimal("-Infinity"),
        uuid.UUID(int=0x12345678123456781234567812345678), uuid.UUID(int=0),
        collections.OrderedDict([("z", 1), ("a", [2])]), collections.OrderedDict(),
        collections.Counter("abca"), collections.defaultdict(list, {"a": [1]}), collections.defaultdict(),
    ]
    if not PY2:
        for offset in (0, 7200, -16200, 5 * 3600 + 1800):
            zone = datetime.timezone(datetime.timedelta(seconds=offset))
            plain.append(noon.replace(tzinfo=zone))
        plain.append(noon.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1), "CET")))
        plain.append(noon.replace(fold=1))
        plain.append(datetime.time(1, 2, fold=1))
    return plain


def tagged(value):
    if type(value) is collections.deque:
        return {"deque": [taggedjson.encode(v) for v in value], "maxlen": value.maxlen}
    return taggedjson.encode(value)


def dump():
    for value in values():
        for pickler in PICKLERS:
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                data = codecs.encode(pickler.dumps(value, protocol), "hex").decode("ascii")
                print(json.dumps({"pickle": data, "value": tagged(value)}, sort_keys=True))


def load():
    for line in sys.stdin:
        data = codecs.decode(line.strip().encode("ascii"), "hex")
        texts = [json.dumps(tagged(pickler.loads(data)), sort_keys=True) for pickler in PICKLERS]
        assert texts[1:] == texts[:-1]
        print(texts[0])


if __name__ == "__main__":
    {"dump": dump, "load": load}[sys.argv[1]]()
