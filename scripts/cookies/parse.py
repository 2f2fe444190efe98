"""Asks this Python about cookies: lines of questions in, lines of answers out.

Runs under Python 2.7 and 3; only the mode "beaker" needs more than the standard
library. The Go tests of package beakerfmt start it and compare every answer with
their own. Questions are hex of bytes; in answers a text is JSON, each of its
characters standing for the byte of that number.

  parse.py walk [strict] [plain-samesite] [partitioned]
      in:  a Cookie header
      out: {name: [value as it stands in the header, value without its
           quoting]} of every cookie that http.cookies finds; {} where it fails
  parse.py beaker SECRET
      in:  a Cookie header
      out: a list of what Beaker's own classes find: the one without a secret and
           the one with it. Each is an object as above, where the second value
           is what the session takes for its id (null if the signature is
           wrong); or the name of the exception that is not a CookieError
  parse.py quote
      in:  a cookie's value
      out: the Set-Cookie text that sets it for the name "sid", or null if this
           Python refuses (the newest do, for control characters)

Headers are what a WSGI application gets: bytes in Python 2, latin-1 text in
Python 3. "walk" is http.cookies with what Beaker makes of it since 1.8: a cookie
whose name is refused is passed over; with "strict" (Beaker up to 1.7) it fails
the whole header. Unless "plain-samesite" is given, samesite is a reserved name
in every Python, as Beaker has it since 1.10. With "partitioned" that word is one,
too, and a flag, as Python 3.14 has it.
"""
import binascii
import json
import sys

try:
    from http import cookies
except ImportError:  # Python 2
    import Cookie as cookies

PY2 = sys.version_info[0] == 2


class Tolerant(cookies.SimpleCookie):
    """A SimpleCookie to which a refused cookie is no reason to fail."""

    def load(self, header):
        self.refused = set()
        cookies.SimpleCookie.load(self, header)
        for name in self.refused:
            del self[name]

    def _BaseCookie__set(self, name, value, coded):
        try:
            cookies.SimpleCookie._BaseCookie__set(self, name, value, coded)
        except cookies.CookieError:
            self.refused.add(name)
            dict.__setitem__(self, name, cookies.Morsel())


def from_hex(line):
    data = binascii.unhexlify(line)
    return data if PY2 else data.decode('latin-1')


def text(value):
    """For JSON, which would read the bytes of Python 2 as UTF-8."""
    return value.decode('latin-1') if PY2 and isinstance(value, str) else value


def contents(jar):
    return {name: [text(m.coded_value), text(m.value)] for name, m in jar.items()}


def walk(header, jar):
    try:
        jar.load(header)
    except cookies.CookieError:
        return {}
    return contents(jar)


def quote(value):
    jar = cookies.SimpleCookie()
    try:
        jar['sid'] = value
        jar['sid']['path'] = '/'
        jar['sid']['secure'] = True
        jar['sid']['httponly'] = True
        return text(jar['sid'].output(header=''))
    except cookies.CookieError:
        return None


def beaker(header, secret):
    """As the constructor of beaker.session.Session has its cookie."""
    from beaker import session
    simple = getattr(session, 'SimpleCookie', cookies.SimpleCookie)
    signature = getattr(session, 'InvalidSignature', None)
    answers = []
    for make in (lambda: simple(input=header), lambda: session.SignedCookie(secret, input=header)):
        try:
            found = contents(make())
        except cookies.CookieError:
            found = {}
        except Exception as e:
            found = type(e).__name__
        else:
            for pair in found.values():
                if pair[1] is signature:
                    pair[1] = None
        answers.append(found)
    return answers


def main(mode, *args):
    if mode == 'walk':
        if 'plain-samesite' not in args:
            cookies.Morsel._reserved.setdefault('samesite', 'SameSite')
        if 'partitioned' in args:
            cookies.Morsel._reserved.setdefault('partitioned', 'Partitioned')
            cookies.Morsel._flags = set(cookies.Morsel._flags) | {'partitioned'}
    answers = []
    kind = cookies.SimpleCookie if 'strict' in args else Tolerant
    answer = {
        'walk': lambda question: walk(question, kind()),
        'beaker': lambda question: beaker(question, args[0]),
        'quote': quote,
    }[mode]
    # All at once: line by line costs Python 2 more than the questions do.
    for line in sys.stdin.read().splitlines():
        answers.append(json.dumps(answer(from_hex(line)), sort_keys=True) + '\n')
    sys.stdout.write(''.join(answers))


if __name__ == '__main__':
    main(*sys.argv[1:])
