"""Writes pickles of all specimens, by this Python, in all its protocols.

usage: python make.py DIRECTORY [small]
       python make.py --bundle FILE

NAME.pN.pkl is specimen NAME in protocol N, and manifest.jsonl has a line for each:
{"name", "python", "protocol", "pickler", "file", "repr"}. With "small", specimens
of more than 1,000 bytes are left out. A bundle is the manifest of the small ones,
in which "data" has the pickle in base64.
"""
import base64
import io
import json
import os
import pickle
import platform
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import specimens

if specimens.PY2:
    import cPickle


def persistent_id(obj):
    return obj.pid if isinstance(obj, specimens.Outside) else None


class Three(pickle.Pickler):
    def persistent_id(self, obj):
        return persistent_id(obj)


def dump(value, protocol, pickler):
    out = io.BytesIO()
    if not specimens.PY2:
        Three(out, protocol).dump(value)
        return out.getvalue()
    p = (cPickle if pickler == 'C' else pickle).Pickler(out, protocol)
    p.persistent_id = persistent_id
    p.dump(value)
    return out.getvalue()


def pickles(small):
    """Yields a manifest entry and the pickle for each specimen."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        # Python 2's two picklers differ in what they write; Python 3's do not matter:
        # the one in C is used wherever there is one.
        for pickler in ('C', 'Python') if specimens.PY2 else ('C',):
            for name, value in specimens.kinds(protocol):
                with specimens.registered(name):
                    try:
                        data = dump(value, protocol, pickler)
                    except Exception as e:
                        raise RuntimeError('%s, protocol %d: %r' % (name, protocol, e))
                if small and len(data) > 1000:
                    continue
                yield {'name': name, 'python': platform.python_version(), 'protocol': protocol, 'pickler': pickler,
                       'file': '%s.p%d%s.pkl' % (name, protocol, '' if pickler == 'C' else '.pure'),
                       'repr': shown(value)}, data


def write(path, lines):
    with open(path, 'w') as out:
        for line in lines:
            out.write(json.dumps(line, sort_keys=True) + '\n')
    print('%d pickles' % len(lines))


def main(directory, small):
    if not os.path.isdir(directory):
        os.makedirs(directory)
    lines = []
    for entry, data in pickles(small):
        with open(os.path.join(directory, entry['file']), 'wb') as out:
            out.write(data)
        lines.append(entry)
    write(os.path.join(directory, 'manifest.jsonl'), lines)


def bundle(path):
    write(path, [dict(entry, data=base64.b64encode(data).decode('ascii')) for entry, data in pickles(True)])


def shown(value):
    """repr of value without addresses, short."""
    import re
    text = re.sub(r' at 0x[0-9a-fA-F]+', '', repr(value))
    return text if len(text) <= 60 else text[:59] + '~'


if __name__ == '__main__':
    sys.setrecursionlimit(20000)
    if sys.argv[1] == '--bundle':
        bundle(sys.argv[2])
    else:
        main(sys.argv[1], 'small' in sys.argv[2:])
