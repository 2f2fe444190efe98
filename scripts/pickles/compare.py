"""Judges re-encodings of make.py's pickles, in the Python that wrote the originals.

usage: python compare.py ORIGINALS REENCODED

REENCODED holds files of the same names, in any number of directories. Both of a
pair are loaded and compared: exact types, values, order of dicts (where Python has
one), and which parts are one object. Prints a line for each pair that is not the
same, and a summary. Exit status 0 if there is none.
"""
import io
import os
import pickle
import sys
import types

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import specimens

if specimens.PY2:
    import cPickle
    SCALARS = (type(None), bool, int, long, float, complex, str, unicode)
    CLASSES = (type, types.ClassType)
else:
    SCALARS = (type(None), bool, int, float, complex, str, bytes)
    CLASSES = (type,)
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
DICTS_HAVE_ORDER = sys.version_info >= (3, 6)


class Three(pickle.Unpickler):
    def persistent_load(self, pid):
        return specimens.Outside(pid)


def load(data):
    if not specimens.PY2:
        return Three(io.BytesIO(data)).load()
    u = cPickle.Unpickler(io.BytesIO(data))
    u.persistent_load = specimens.Outside
    return u.load()


class Portrait(object):
    """Describes an object in nested tuples that are equal for equal objects only.

    An object that was met before is described by the number it was met under, so
    portraits of structures that share parts in different ways differ.
    """
    def __init__(self):
        self.numbers, self.alive = {}, []

    def of(self, value):
        kind = type(value)
        if kind in SCALARS:
            return kind.__name__, repr(value)
        if isinstance(value, CLASSES) or kind in FUNCTIONS and getattr(value, '__self__', None) is None:
            return 'named', value.__module__, getattr(value, '__qualname__', value.__name__)
        if kind is tuple and not value:
            return ('tuple',)
        if id(value) in self.numbers:
            return 'met', self.numbers[id(value)]
        self.numbers[id(value)] = len(self.numbers)
        self.alive.append(value)  # so that no id is used twice
        return self.whole(value, kind)

    def whole(self, value, kind):
        name = kind.__module__, kind.__name__
        if kind in (list, tuple) or isinstance(value, specimens.Point):
            return name, [self.of(item) for item in value]
        if kind is dict:
            pairs = [(self.of(k), self.of(v)) for k, v in ordered(value)]
            return name, pairs
        if kind in (set, frozenset):
            return name, sorted((self.member(item) for item in value), key=repr)
        if kind is bytearray:
            return name, repr(value)
        if specimens.PY2 and kind is types.InstanceType:
            return 'classic', self.of(value.__class__), self.of(value.__dict__)
        if kind is getattr(types, 'MethodType', None):
            return 'method', value.__func__.__name__, self.of(value.__self__)
        attributes = self.of(value.__dict__) if hasattr(value, '__dict__') else None
        if isinstance(value, (specimens.Outside, specimens.Assembled, specimens.WithKeywords)):
            return name, attributes
        return name, attributes, self.reduced(value)

    def member(self, item):
        """Members of a set come in no order, so they are not numbered along with the rest
        unless they were met already."""
        if id(item) in self.numbers:
            return 'met', self.numbers[id(item)]
        return Portrait().of(item)

    def reduced(self, value):
        special = specimens.copyreg.dispatch_table.get(type(value))
        parts = special(value) if special else value.__reduce_ex__(2)
        if not isinstance(parts, tuple):
            return parts
        self.alive.append(parts)
        out = [self.of(part) for part in parts[:3]]
        for items in parts[3:5]:
            if items is not None:
                items = list(items)
                self.alive.append(items)
                if isinstance(value, dict) and not isinstance(value, specimens.collections.OrderedDict) and not DICTS_HAVE_ORDER:
                    items.sort(key=repr)
                out.append([self.of(item) for item in items])
        return out


def ordered(d):
    return list(d.items()) if DICTS_HAVE_ORDER else sorted(d.items(), key=repr)


def verdict(name, original, again):
    with specimens.registered(name):
        first = Portrait().of(load(original))
        try:
            second = Portrait().of(load(again))
        except Exception as e:
            return 'does not load: %r' % e
    if first == second:
        return None
    a, b = repr(first), repr(second)
    at = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
    return 'differs: %s | %s' % (a[max(0, at - 40):at + 60], b[max(0, at - 40):at + 60])


def main(originals, reencoded):
    same = bad = 0
    for place, _, files in sorted(os.walk(reencoded)):
        for file in sorted(files):
            with open(os.path.join(originals, file), 'rb') as f:
                original = f.read()
            with open(os.path.join(place, file), 'rb') as f:
                again = f.read()
            wrong = verdict(file, original, again)
            if wrong is None:
                same += 1
            else:
                bad += 1
                print('%s %s: %s' % (os.path.basename(place), file, wrong))
    print('%d same, %d not' % (same, bad))
    return 1 if bad or not same else 0


if __name__ == '__main__':
    sys.setrecursionlimit(20000)
    sys.exit(main(sys.argv[1], sys.argv[2]))
