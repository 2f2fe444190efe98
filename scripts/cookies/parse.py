"""Asks this Python's own http.cookies about cookies, one question a line.

Runs under Python 2.7 and 3. The Go tests of package beakerfmt start it and
compare every answer with their own.

  parse.py walk NAME [strict] [plain-samesite]
      in:  a Cookie header, as hex of its bytes
      out: "-" if there is no such cookie, else hex of the value as it stands
           in the header, a space, and hex of the value without its quoting
  parse.py quote
      in:  hex of a cookie's value
      out: hex of the Set-Cookie text that sets it for the name "sid", or "-"
           if this Python refuses (the newest do, for control characters)

Headers are what a WSGI application gets: bytes in Python 2, latin-1 text in
Python 3. Like Beaker since 1.8, a cookie whose name http.cookies refuses is
passed over; with "strict" (Beaker up to 1.7) it fails the whole header.
Unless "plain-samesite" is given, samesite is a reserved name in every Python,
as Beaker has it since 1.10.
"""
import binascii
import sys

try:
    from http import cookies
except ImportError:  # Python 2
    import Cookie as cookies

PY2 = sys.version_info[0] == 2


class Tolerant(cookies.SimpleCookie):
    """A SimpleCookie to which a refused name is no reason to fail."""

    def _BaseCookie__set(self, name, value, coded):
        try:
            cookies.SimpleCookie._BaseCookie__set(self, name, value, coded)
        except cookies.CookieError:
            self.refused.add(name)
            dict.__setitem__(self, name, cookies.Morsel())


def from_hex(line):
    data = binascii.unhexlify(line.strip())
    return data if PY2 else data.decode('latin-1')


def to_hex(text):
    data = text if PY2 else text.encode('latin-1')
    return binascii.hexlify(data).decode('ascii')


def walk(header, name, strict):
    jar = cookies.SimpleCookie() if strict else Tolerant()
    jar.refused = set()
    try:
        jar.load(header)
    except cookies.CookieError:
        return '-'
    if name not in jar or name in jar.refused:
        return '-'
    return to_hex(jar[name].coded_value) + ' ' + to_hex(jar[name].value)


def quote(value):
    jar = cookies.SimpleCookie()
    try:
        jar['sid'] = value
        jar['sid']['path'] = '/'
        jar['sid']['secure'] = True
        jar['sid']['httponly'] = True
        return to_hex(jar['sid'].output(header=''))
    except cookies.CookieError:
        return '-'


def main(mode, *args):
    if 'plain-samesite' not in args:
        cookies.Morsel._reserved.setdefault('samesite', 'SameSite')
    for line in iter(sys.stdin.readline, ''):
        text = from_hex(line)
        answer = quote(text) if mode == 'quote' else walk(text, args[0], 'strict' in args)
        sys.stdout.write(answer + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
