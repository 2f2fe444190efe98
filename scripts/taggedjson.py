"""Tagged JSON: every Python value as JSON that keeps its type.

Runs on Python 2.7 and 3. ``encode(value)`` gives a JSON-ready object whose
"t" names the type; ``decode(object)`` makes the value again. ``encode`` of a
set is sorted, so two values are equal, types included, exactly if
``canonical`` gives the same text for both.
"""
import codecs
import datetime
import decimal
import json
import re
import sys
import uuid

PY2 = sys.version_info[0] == 2
if PY2:
    text_type, long_type = unicode, long  # noqa: F821
else:
    text_type, long_type = str, int


def _hex(data):
    return codecs.encode(bytes(data), "hex").decode("ascii")


def _unhex(text):
    return codecs.decode(text.encode("ascii"), "hex")


def compact(tagged):
    return json.dumps(tagged, sort_keys=True, separators=(",", ":"))


def canonical(value):
    """Text that is the same for equal values of equal types, whatever the
    order of dicts."""
    return compact(_sorted_dicts(encode(value)))


def _sorted_dicts(tagged):
    if isinstance(tagged, dict):
        out = dict((k, _sorted_dicts(v)) for k, v in tagged.items())
        for field in ("v", "dict"):
            if tagged.get("t") == "dict" or field == "dict":
                if isinstance(out.get(field), list):
                    out[field] = sorted(out[field], key=compact)
        return out
    if isinstance(tagged, list):
        return [_sorted_dicts(v) for v in tagged]
    return tagged


def _pairs(mapping):
    return [[encode(k), encode(v)] for k, v in mapping.items()]


def _members(values):
    return sorted((encode(v) for v in values), key=compact)


def _float(f):
    return {"t": "float", "v": repr(f), "hex": f.hex()}


def _offset(value):
    return None if value.utcoffset() is None else str(value.utcoffset())


def encode(value):
    """The tagged form of any value a session may hold."""
    kind = type(value)
    if value is None:
        return {"t": "none"}
    if kind is bool:
        return {"t": "bool", "v": value}
    if PY2 and kind is long_type:
        return {"t": "long", "v": str(value)}
    if kind is int:
        return {"t": "int", "v": str(value)}
    if kind is float:
        return _float(value)
    if kind is complex:
        return {"t": "complex", "re": repr(value.real), "im": repr(value.imag)}
    if kind is text_type:
        return {"t": "str", "v": value}
    if PY2 and kind is str:
        ascii_text = value.decode("ascii") if all(32 <= ord(c) < 127 for c in value) else None
        return {"t": "py2str", "hex": _hex(value), "ascii": ascii_text}
    if kind is bytes:
        return {"t": "bytes", "hex": _hex(value)}
    if kind is bytearray:
        return {"t": "bytearray", "hex": _hex(value)}
    if kind is list or kind is tuple:
        return {"t": kind.__name__, "v": [encode(v) for v in value]}
    if kind is set or kind is frozenset:
        return {"t": kind.__name__, "v": _members(value)}
    if kind is dict:
        return {"t": "dict", "v": _pairs(value)}
    if kind is datetime.datetime:
        return {"t": "datetime", "v": value.isoformat(), "tz": _offset(value)}
    if kind is datetime.date:
        return {"t": "date", "v": value.isoformat()}
    if kind is datetime.time:
        return {"t": "time", "v": value.isoformat()}
    if kind is datetime.timedelta:
        return {"t": "timedelta", "days": value.days, "seconds": value.seconds,
                "microseconds": value.microseconds}
    if kind is decimal.Decimal:
        return {"t": "decimal", "v": str(value)}
    if kind is uuid.UUID:
        return {"t": "uuid", "v": str(value)}
    return _instance(value, value.__class__)  # type() of an old-style instance says nothing


def _instance(value, kind):
    name = kind.__module__ + "." + kind.__name__
    if isinstance(value, dict):
        return {"t": "object", "class": name, "dict": _pairs(value)}
    if hasattr(value, "__getstate__") and hasattr(value, "__slots__"):
        return {"t": "object", "class": name, "state": encode(value.__getstate__())}
    return {"t": "object", "class": name, "state": encode(dict(vars(value)))}


def _moment(tagged):
    text, offset = tagged["v"], tagged.get("tz")
    if offset is not None:
        raise ValueError("aware datetimes are not made from tagged JSON here")
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    if "." in text:
        numbers[-1] = int(text.rsplit(".", 1)[1].ljust(6, "0"))
    return datetime.datetime(*numbers)


def _clock(text):
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    if "." in text:
        numbers[-1] = int(text.rsplit(".", 1)[1].ljust(6, "0"))
    return datetime.time(*numbers)


def decode(tagged):
    """The value of a tagged form (classes of applications excepted)."""
    kind, v = tagged["t"], tagged.get("v")
    simple = {
        "none": lambda: None,
        "bool": lambda: bool(v),
        "int": lambda: int(v),
        "long": lambda: long_type(v),
        "float": lambda: float.fromhex(tagged["hex"]),
        "complex": lambda: complex(float(tagged["re"]), float(tagged["im"])),
        "str": lambda: v,
        "py2str": lambda: _unhex(tagged["hex"]),
        "bytes": lambda: _unhex(tagged["hex"]),
        "bytearray": lambda: bytearray(_unhex(tagged["hex"])),
        "list": lambda: [decode(x) for x in v],
        "tuple": lambda: tuple(decode(x) for x in v),
        "set": lambda: set(decode(x) for x in v),
        "frozenset": lambda: frozenset(decode(x) for x in v),
        "dict": lambda: dict((decode(k), decode(x)) for k, x in v),
        "datetime": lambda: _moment(tagged),
        "date": lambda: datetime.date(*[int(n) for n in v.split("-")]),
        "time": lambda: _clock(v),
        "timedelta": lambda: datetime.timedelta(tagged["days"], tagged["seconds"],
                                                tagged["microseconds"]),
        "decimal": lambda: decimal.Decimal(v),
        "uuid": lambda: uuid.UUID(v),
    }
    if kind not in simple:
        raise ValueError("no value is made of %r" % kind)
    return simple[kind]()
