# -*- coding: utf-8 -*-
"""Classes and values of every kind that a pickle can hold, for make.py and compare.py.

Runs on Python 2.7 and on 3.6 and later.
"""
import collections
import datetime
import sys

PY2 = sys.version_info[0] == 2
if PY2:
    import copy_reg as copyreg
else:
    import copyreg
    unicode, long, unichr, xrange = str, int, chr, range


# Instances: how they are made, and how their state travels.

class Classic:
    """Old style in Python 2: no call when it is loaded."""
    def __init__(self, left, right):
        self.left, self.right = left, right


class ClassicArgs:
    """Old style, and called with arguments when it is loaded."""
    def __init__(self, first, second):
        self.first, self.second = first, second

    def __getinitargs__(self):
        return self.first, self.second


class ClassicState:
    def __init__(self, what):
        self.what = what

    def __getstate__(self):
        return [self.what]

    def __setstate__(self, state):
        self.what, = state


class Plain(object):
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted(object):
    __slots__ = ('width', 'height')

    def __init__(self, width, height):
        self.width, self.height = width, height

    def __getstate__(self):
        return None, {'width': self.width, 'height': self.height}

    def __setstate__(self, state):
        for part in state:
            for name, value in (part or {}).items():
                setattr(self, name, value)


class SlottedAndMore(Slotted):
    """Slots, and a __dict__ besides."""
    def __getstate__(self):
        return dict(self.__dict__), Slotted.__getstate__(self)[1]


class OwnState(object):
    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return ('packed', self.value)

    def __setstate__(self, state):
        self.value = state[1]


class EmptyState(object):
    """A state that counts as false, but is one."""
    def __getstate__(self):
        return ()

    def __setstate__(self, state):
        self.got = state


class WithArguments(object):
    def __new__(cls, *args):
        self = object.__new__(cls)
        self.args = args
        return self

    def __getnewargs__(self):
        return self.args


class WithKeywords(object):
    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.args, self.kwargs = args, kwargs
        return self

    def __getnewargs_ex__(self):
        return self.args, self.kwargs


def assemble(*args):
    self = Assembled(2)
    self.args = args
    return self


class Assembled(object):
    """Reduces to a call and as many further parts as asked for."""
    def __init__(self, parts, items=2):
        self.parts, self.items = parts, items
        self.args, self.got_list, self.got_dict = (), [], []

    def __reduce__(self):
        return (assemble, (1, u'a', (None,)), {'parts': self.parts, 'items': self.items},
                iter(range(self.items)),
                iter([(n, unicode(n)) for n in range(self.items)]))[:self.parts]

    def append(self, item):
        self.got_list.append(item)

    def extend(self, items):
        self.got_list.extend(items)

    def __setitem__(self, key, value):
        self.got_dict.append((key, value))


class Registered(object):
    """Has a code in copyreg's extension registry while it is pickled."""
    def __init__(self):
        self.name = u'registered'


class Outside(object):
    """Stands for itself only by a persistent id."""
    def __init__(self, pid):
        self.pid = pid


class Zone(datetime.tzinfo):
    def __init__(self, minutes=0):
        self.minutes = minutes

    def utcoffset(self, when):
        return datetime.timedelta(minutes=self.minutes)

    def dst(self, when):
        return datetime.timedelta(0)

    def tzname(self, when):
        return 'zone'

    def __getinitargs__(self):
        return (self.minutes,)


# Subclasses of builtin types.

class OfDict(dict):
    pass


class OfList(list):
    pass


class OfInt(int):
    pass


class OfFloat(float):
    pass


class OfStr(str):
    pass


class OfUnicode(unicode):
    pass


class OfTuple(tuple):
    pass


class OfSet(set):
    pass


class OfFrozenSet(frozenset):
    pass


class OfBytearray(bytearray):
    pass


Point = collections.namedtuple('Point', 'x y')


class Trouble(Exception):
    def __init__(self, code, hint):
        Exception.__init__(self, code, hint)
        self.hint = hint


class State(object):
    """As an ORM keeps it beside a mapped object, which it points back to."""
    def __init__(self, owner):
        self.owner, self.key = owner, ('user', (1,), None)

    def __getstate__(self):
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)


class Node(object):
    """Hashed by identity, so that it can be in a set that it holds itself."""


if not PY2:
    import enum

    class Colour(enum.Enum):
        RED = 1
        BLUE = 'b'

    class Level(enum.IntEnum):
        LOW = 1

    class Outer(object):
        class Inner(object):
            class Innermost(object):
                def __init__(self):
                    self.depth = 3

        def method(self):
            return self

    # A name that protocols below 3 cannot carry.
    NotASCII = type(u'Stra\xdfe', (object,), {'__module__': __name__})
    globals()[NotASCII.__name__] = NotASCII

    class OfBytes(bytes):
        pass


def kinds(protocol):
    """Yields (name, value) for all that this Python can pickle in that protocol.

    Values whose name begins with "plain_" hold nothing but builtin types that are
    written by an opcode each, and no equal texts that are two objects.
    """
    for part in (scalars, texts, containers, shared, recursive, library, instances):
        for item in part(protocol):
            yield item


def scalars(protocol):
    yield 'plain_none', None
    yield 'plain_bools', [True, False]
    yield 'plain_ints', [0, 1, -1, 255, 256, -255, -256, 65535, 65536, 2**31 - 1, -2**31, 10, 7]
    yield 'plain_ints_wide', [2**31, -2**31 - 1, 2**32, 2**40, -2**40, 2**62, 2**63 - 1, -2**63]
    yield 'plain_ints_huge', [2**63, -2**63 - 1, 2**64, 10**20, -10**20, 2**127, 2**128, -2**127, -2**128]
    yield 'plain_ints_very_long', [10**300, -10**300, 2**500, -2**2039, 2**2040, 2**2047]
    yield 'plain_ints_long4', [2**2100, -2**2100, 7**900]
    yield 'plain_floats', [0.0, -0.0, 1.0, 1.5, -2.25, 0.1, 1e16, 1e15, 123456789012345680.0, 1e-4, 1e-5,
                           1e300, 5e-324, 1.7976931348623157e308, 1/3.0, 1700000301.518331]
    yield 'floats_odd', [float('inf'), float('-inf'), float('nan')]
    yield 'complexes', [complex(1.5, -2.0), 1j, complex(0.0, -0.0), complex(float('inf'), 1)]
    if PY2:
        yield 'longs', [long(0), long(1), long(-1), long(255), long(2**31), long(2**62), [long(5), 5]]


def texts(protocol):
    yield 'plain_text', [u'', u'a', u'hello', u'Grüße', u'日本語', u'naïve café']
    yield 'plain_text_escapes', [u'back\\slash', u'new\nline', u'cr\rlf', u'nul\0', u'\x1a', u'\\u0041', u'\\\\u0041',
                                 u'tab\t\'"', u'\\', u'\x7f\x80\xa0\xff\u0100', u'trailing\\']
    yield 'plain_text_astral', [u'\U0001f600', u'a\U0010ffffb', u'\U00010000']
    yield 'plain_text_surrogates', [u'\ud800', u'x\udfffy', u'\udc80\udcff', u'\ud83d' + u'.\ude00']
    yield 'plain_text_lengths', [u'x' * 255, u'y' * 256, u'z' * 257, u'ü' * 128, u'v' * 65535, u'w' * 65536, u'q' * 65537]
    yield 'plain_text_frames', [u'%05d' % n * 20 for n in range(2500)]
    yield 'plain_text_large', [u'first', u'l' * 70000, u'second', u'm' * 200000, {u'k': u'n' * 66000}]
    yield 'strs', ['', 'a', 'it\'s', '"', 'both \' and "', 'esc\\aped', 'line\nfeed', 'tab\t', 'cr\r', 'nul\0', '\x7f']
    if PY2:
        yield 'str_not_utf8', ['\xff\xfe', 'caf\xe9', '\x80abc', u'café'.encode('utf-8'), b''.join(map(chr, range(256)))]
        yield 'str_beside_unicode', ['same', u'same', {'k': u'k2', u'u': 'v'}, 'same']
        yield 'str_lengths', ['x' * 255, 'y' * 256, 'z' * 70000]
    else:
        yield 'plain_bytes', [b'', b'ab', b'\x00\xff\x80caf\xe9', bytes(bytearray(range(256)))]
        yield 'plain_bytes_lengths', [b'x' * 255, b'y' * 256, b'z' * 65535, b'w' * 65536, b'v' * 70000]
        yield 'bytes_as_keys', {b'k': 1, u'k': 2, b'\xff': b'v'}
    yield 'bytearrays', [bytearray(), bytearray(b'ab'), bytearray(b'\x00\xff\x80'), bytearray(b'x' * 300), bytearray(b'y' * 70000)]
    if protocol >= 5:
        import pickle
        yield 'buffers_in_band', [pickle.PickleBuffer(b'read only'), pickle.PickleBuffer(bytearray(b'writable'))]


def containers(protocol):
    yield 'plain_tuples', [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5), ((), ((),), (((), ()),))]
    yield 'plain_lists', [[], [1], [1, 2], [[]], [[[1]]], list(range(999))]
    yield 'plain_list_1000', list(range(1000))
    yield 'plain_list_1001', list(range(1001))
    yield 'plain_list_2500', [n % 7 for n in range(2500)]
    yield 'plain_dicts', [{}, {u'a': 1}, {u'b': 2, u'c': None}, {u'd': {u'e': {u'f': []}}}]
    yield 'plain_dict_1000', dict((n, -n) for n in range(1000))
    yield 'plain_dict_1001', dict((n, -n) for n in range(1001))
    yield 'plain_dict_2000', dict((n, n) for n in range(2000))
    yield 'plain_dict_of_texts', dict((u'key %d' % n, u'value %d' % n) for n in range(300))
    yield 'plain_nested', [{u'one': [(1, [{u'two': (None, True)}], 2.5)]}] * 1
    yield 'plain_deep', nest(150)
    yield 'dict_keys', {1: u'int', u'1': u'text', (1, u'x'): u'tuple', None: u'none', 2.5: u'float', True and 3: u'three',
                        frozenset([1, 2]): u'frozenset', ((), ((1,), 2)): u'nested', 2**70: u'huge'}
    yield 'dict_keys_alike', {0: u'zero', -1: u'minus', u'0': 0, 0.5: 5}
    yield 'sets', [set([1]), set([1, 2, 3]), set([u'a', u'b']), set([(1, 2), (3,)]), set([None, True, 1.5]),
                   set([frozenset([1]), frozenset()]), set([10**30, -10**30])]
    yield 'sets_of_bytes', [set([b'a']), set([b'\xff', b'\x00b']), set([(b'x', u'y')])]
    yield 'sets_empty', [set(), frozenset()]
    yield 'sets_large', [set(range(1000)), set(range(2500)), frozenset(range(1500))]
    yield 'frozensets', [frozenset([1]), frozenset([u'a', b'b']), frozenset([frozenset([frozenset()])])]


def nest(depth):
    value = []
    for n in range(depth):
        value = [value] if n % 3 == 0 else (value,) if n % 3 == 1 else {u'k': value}
    return value


def shared(protocol):
    one, two, three = [1], {u'k': 1}, (1, 2)
    yield 'plain_shared', [one, one, two, two, three, three, (one, two), (one, two)]
    yield 'plain_shared_many', [list(range(3)) for _ in range(300)] + [one] * 300
    four = (1, 2, 3, 4)
    yield 'plain_shared_tuples', [four, four, {1: four}, (four, four)]
    s, f = set([1, 2]), frozenset([3, 4])
    yield 'shared_sets', [s, s, f, f, {u'again': s}]
    b = bytearray(b'shared')
    yield 'shared_bytearray', [b, b, (b,)]
    c = b'some bytes \xff'
    yield 'shared_bytes', [c, c, {u'k': c}]
    t = u'some text'
    yield 'plain_shared_text', [t, t, {t: t}, (t,)]
    o = Plain(a=1)
    yield 'shared_objects', [o, o, {u'k': o}, (o, o)]
    d = datetime.datetime(2024, 2, 29, 1, 2, 3)
    yield 'shared_datetimes', {u'a': d, u'b': d, u'c': [d]}


def recursive(protocol):
    l = []
    l.append(l)
    yield 'plain_list_in_itself', l
    d = {}
    d[u'self'] = d
    yield 'plain_dict_in_itself', d
    a, b = [1], [2]
    a.append(b)
    b.append(a)
    yield 'plain_lists_in_each_other', (a, b)
    for n in (1, 2, 3, 4, 6):
        inner = []
        t = (inner,) + tuple(range(1, n))
        inner.append(t)
        yield 'plain_tuple_%d_in_itself' % n, t
    inner = {}
    t = (0, inner, 1, 2)
    inner[u'back'] = t
    yield 'plain_tuple_in_itself_by_dict', [t, t]
    o = Plain()
    o.me = o
    o.us = [o, {u'me': o}]
    yield 'object_in_itself', o
    n = Node()
    n.friends = set([n])
    yield 'object_in_its_set', n
    n = Node()
    n.friends = frozenset([n, 1])
    yield 'object_in_its_frozenset', n
    n = Node()
    n.pair = (n, 1)
    yield 'object_in_its_tuple', n
    if protocol >= 2:
        s = OfList()
        s.append(s)
        yield 'list_subclass_in_itself', s
    if PY2:
        c = Classic(1, 2)
        c.left = c
        yield 'classic_in_itself', c
    user = Plain(name=u'mk', id=7)
    user._state = State(user)
    yield 'mapped_object', [user, user]


def library(protocol):
    import decimal
    import fractions
    import array
    import operator
    import uuid
    dt = datetime.datetime
    yield 'datetimes', [dt(2023, 11, 14, 22, 13, 20, 123456), dt(1, 1, 1), dt(9999, 12, 31, 23, 59, 59, 999999),
                        dt(2040, 10, 13, 13, 10), dt(2024, 1, 2, 128 % 24, 0, 0, 0xff80)]
    yield 'datetimes_zone', [dt(2024, 5, 6, 7, 8, 9, tzinfo=Zone(90)), datetime.time(1, 2, tzinfo=Zone(-60))]
    yield 'dates', [datetime.date(2024, 2, 29), datetime.date(1, 1, 1)]
    yield 'times', [datetime.time(1, 2, 3, 4), datetime.time(23, 59, 59, 999999), datetime.time()]
    yield 'timedeltas', [datetime.timedelta(-1, 5, 7), datetime.timedelta(0), datetime.timedelta(999999999)]
    yield 'decimals', [decimal.Decimal('1.10'), decimal.Decimal('-0'), decimal.Decimal('NaN'), decimal.Decimal('1E+99')]
    yield 'fractions', [fractions.Fraction(1, 3), fractions.Fraction(-7)]
    yield 'uuids', [uuid.UUID('12345678-1234-5678-1234-567812345678')]
    od = collections.OrderedDict([(u'z', 1), (u'a', [2]), (3, None)])
    yield 'ordered_dicts', [od, collections.OrderedDict(), collections.OrderedDict([(b'k', b'v')])]
    od = collections.OrderedDict([(u'x', 1)])
    od.note = u'an attribute'
    yield 'ordered_dict_with_attribute', od
    dd = collections.defaultdict(list)
    dd[u'a'].append(1)
    yield 'default_dicts', [dd, collections.defaultdict(int, {u'n': 5}), collections.defaultdict(None), collections.defaultdict(dict)]
    yield 'deques', [collections.deque([1, u'b', None]), collections.deque([], 5), collections.deque(range(5), 3)]
    yield 'counters', [collections.Counter(u'banana'), collections.Counter()]
    yield 'arrays', [array.array('i', [1, -2, 3]), array.array('d', [1.5]), array.array('B', [0, 255])]
    yield 'ranges', [xrange(0), xrange(10), xrange(2, 20, 3)]
    yield 'types', [int, str, unicode, long, dict, object, bytes, bytearray, complex, set, type, float, tuple, xrange]
    yield 'functions', [len, kinds, collections.namedtuple, operator.itemgetter, datetime.datetime, getattr, unichr]
    yield 'exceptions', [ValueError(u'bad', 1), KeyError('k'), Exception(), StopIteration(), RuntimeError(u'x')]
    yield 'exceptions_of_the_system', [OSError(2, 'gone'), IOError(13, 'denied'), OSError(2, 'gone', 'file')]
    if not PY2:
        import functools
        import ipaddress
        import pathlib
        import re
        import types
        yield 'singletons', [type(None), Ellipsis, NotImplemented, type(NotImplemented)]
        yield 'zones', [dt(2024, 5, 6, tzinfo=datetime.timezone.utc),
                        dt(2024, 5, 6, tzinfo=datetime.timezone(datetime.timedelta(hours=2), 'CEST')), datetime.timezone.utc]
        yield 'folds', [dt(2024, 10, 27, 2, 30, fold=1), datetime.time(2, 30, fold=1)]
        yield 'paths', [pathlib.PurePosixPath('/a/b'), pathlib.PurePosixPath('.')]
        yield 'namespaces', [types.SimpleNamespace(a=1, b=[2])]
        yield 'enums', [Colour.RED, Colour.BLUE, Level.LOW, {Colour.RED: 1}]
        yield 'partials', [functools.partial(int, base=2), functools.partial(max, 1, 2)]
        yield 'addresses', [ipaddress.ip_address('192.0.2.1'), ipaddress.ip_network('2001:db8::/32')]
        yield 'patterns', [re.compile(u'a+b', re.I)]
        yield 'methods', [Outer().method, [].append, 'text'.upper] if protocol >= 4 else [Outer().method]
        yield 'classes_nested', [Outer.Inner, Outer.Inner.Innermost, Outer.Inner, Outer]
        yield 'instance_of_nested_class', [Outer.Inner.Innermost(), Outer.Inner()]
        if protocol >= 3:
            yield 'class_not_ascii', [NotASCII, NotASCII()]
        if sys.version_info >= (3, 7):
            import dataclasses
            yield 'dataclasses', [Record(), Record(5, [u'x'])]
    if sys.version_info >= (3, 9):
        import zoneinfo
        yield 'zoneinfos', [zoneinfo.ZoneInfo('UTC')]


if sys.version_info >= (3, 7):
    import dataclasses

    Record = dataclasses.make_dataclass('Record', [('count', int, 1), ('tags', list, dataclasses.field(default_factory=list))])
    Record.__module__ = __name__


def instances(protocol):
    yield 'classic', [Classic(1, u'two'), Classic(None, [])]
    yield 'classic_with_arguments', ClassicArgs(1, u'x')
    yield 'classic_with_state', ClassicState(u's')
    yield 'objects', [Plain(x=1, y=u'z'), Plain()]
    yield 'objects_many', [Plain(n=n) for n in range(300)]
    yield 'slots', [Slotted(1, u'h')]
    more = SlottedAndMore(1, 2)
    more.depth = 3
    yield 'slots_and_dict', more
    yield 'own_state', OwnState(u'v')
    yield 'empty_state', EmptyState()
    yield 'new_with_arguments', [WithArguments(1, u'b'), WithArguments(), WithArguments({u'a': 1}, [2], (), 4)]
    if not PY2:
        yield 'new_with_keywords', [WithKeywords(1, k=2), WithKeywords(), WithKeywords(1, 2, 3, a=u'b', c=[])]
    for parts in (2, 3, 4, 5):
        yield 'reduced_to_%d_parts' % parts, Assembled(parts)
    yield 'reduced_to_many_items', [Assembled(5, 1), Assembled(5, 1000), Assembled(5, 1001), Assembled(5, 2300)]
    yield 'subclasses', [OfDict(a=1), OfList([1, 2]), OfInt(5), OfFloat(1.5), OfStr('s'), OfUnicode(u'u'), OfTuple((1, 2)),
                         OfSet([1]), OfFrozenSet([2]), OfDict(), OfList()]
    with_attributes = [OfDict(b=2), OfList([3]), OfSet([4])]
    for value in with_attributes:
        value.note = [u'n']
    yield 'subclasses_with_attributes', with_attributes
    yield 'subclass_of_bytearray', OfBytearray(b'xy')
    if not PY2:
        yield 'subclass_of_bytes', [OfBytes(b'\xffz')]
    yield 'named_tuples', [Point(1, 2), Point(u'a', [Point(3, 4)])]
    yield 'exceptions_own', [Trouble(404, u'where'), Trouble('a', None)]
    yield 'classes', [Plain, Classic, Point, Trouble]
    yield 'persistent', [Outside('first'), {u'k': Outside('second')}]
    for code in EXTENSION_CODES:
        yield 'extension_%d' % code, [Registered(), Registered, Registered]
    yield 'session', {
        '_accessed_time': 1700000301.518331, '_creation_time': 1700000000.123456, '_id': u'0123456789abcdef',
        'user': {'name': u'Märta', 'roles': [u'admin', u'editor'], 'last': datetime.datetime(2024, 1, 2, 3, 4, 5)},
        'cart': [(1, u'book', 2.5), (2, u'pen', 0.75)], 'flash': [], '_domain': None, '_path': '/'}


# One for each size of code that the opcodes have.
EXTENSION_CODES = (17, 4711, 70000)


class registered(object):
    """Context in which the code that a specimen's name tells is in the registry."""
    def __init__(self, name):
        self.codes = [code for code in EXTENSION_CODES if name.startswith('extension_%d' % code)]

    def __enter__(self):
        for code in self.codes:
            copyreg.add_extension(__name__, 'Registered', code)

    def __exit__(self, *ignored):
        for code in self.codes:
            copyreg.remove_extension(__name__, 'Registered', code)
