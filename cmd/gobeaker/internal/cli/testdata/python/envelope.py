"""Beaker's AES envelopes in plain Python, for tests: slow, and made for reading.

decrypt(text, mode, encrypt_key, validate_key, bits) gives the serialized session.
It depends on nothing but the standard library, so every Python can be asked about
what was encrypted for it. Runs on Python 2.7 and 3.
"""
import base64
import hashlib
import hmac
import struct


def _tables():
    """The S-box of FIPS 197, and the table of multiplications by 2."""
    double = [(x << 1) ^ (0x11B if x & 0x80 else 0) for x in range(256)]
    sbox, p, q = [0] * 256, 1, 1
    while True:
        p ^= double[p]
        for shift in (1, 2, 4):
            q = (q ^ (q << shift)) & 0xFF
        if q & 0x80:
            q ^= 0x09
        rot = [((q << n) | (q >> (8 - n))) & 0xFF for n in range(5)]
        sbox[p] = rot[0] ^ rot[1] ^ rot[2] ^ rot[3] ^ rot[4] ^ 0x63
        if p == 1:
            break
    sbox[0] = 0x63
    return sbox, double


SBOX, DOUBLE = _tables()
UNSBOX = [SBOX.index(x) for x in range(256)]


def _times(x, n):
    out = 0
    while n:
        if n & 1:
            out ^= x
        x, n = DOUBLE[x], n >> 1
    return out


class AES256(object):
    def __init__(self, key):
        words = [list(bytearray(key[i:i + 4])) for i in range(0, 32, 4)]
        rcon = 1
        for i in range(8, 60):
            w = list(words[-1])
            if i % 8 == 0:
                w = [SBOX[b] for b in w[1:] + w[:1]]
                w[0] ^= rcon
                rcon = DOUBLE[rcon]
            elif i % 8 == 4:
                w = [SBOX[b] for b in w]
            words.append([a ^ b for a, b in zip(words[i - 8], w)])
        self.rounds = [sum(words[i:i + 4], []) for i in range(0, 60, 4)]

    def encrypt(self, block):
        s = [a ^ b for a, b in zip(bytearray(block), self.rounds[0])]
        for n in range(1, 15):
            s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if n < 14:
                s = self._mix(s, (2, 3, 1, 1))
            s = [a ^ b for a, b in zip(s, self.rounds[n])]
        return bytes(bytearray(s))

    def decrypt(self, block):
        s = list(bytearray(block))
        for n in range(14, 0, -1):
            s = [a ^ b for a, b in zip(s, self.rounds[n])]
            if n < 14:
                s = self._mix(s, (14, 11, 13, 9))
            s = [UNSBOX[s[(i - 4 * (i % 4)) % 16]] for i in range(16)]
        return bytes(bytearray(a ^ b for a, b in zip(s, self.rounds[0])))

    @staticmethod
    def _mix(s, by):
        out = []
        for column in range(0, 16, 4):
            for row in range(4):
                x = 0
                for k in range(4):
                    x ^= _times(s[column + k], by[(k - row) % 4])
                out.append(x)
        return out


def _blocks(data):
    return [data[i:i + 16] for i in range(0, len(data), 16)]


def _xor(a, b):
    return bytes(bytearray(x ^ y for x, y in zip(bytearray(a), bytearray(b))))


def _counter(aes, data, start):
    """CTR from a counter, which is a number of 128 bits."""
    out = []
    for i, block in enumerate(_blocks(data)):
        n = (start + i) & ((1 << 128) - 1)
        out.append(_xor(block, aes.encrypt(struct.pack(">QQ", n >> 64, n & ((1 << 64) - 1)))))
    return b"".join(out)


def _number(data):
    high, low = struct.unpack(">QQ", data)
    return high << 64 | low


def _ghash(h, data):
    y = 0
    for block in _blocks(data):
        y ^= _number(block + b"\0" * (16 - len(block)))
        z, v = 0, h
        for bit in range(127, -1, -1):
            if y >> bit & 1:
                z ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y


def _gcm(aes, data):
    iv, tag, sealed = data[:12], data[12:28], data[28:]
    start = _number(iv + b"\0\0\0\1")
    h = _number(aes.encrypt(b"\0" * 16))
    padded = sealed + b"\0" * (-len(sealed) % 16) + struct.pack(">QQ", 0, 8 * len(sealed))
    s = _ghash(h, padded)
    want = _counter(aes, struct.pack(">QQ", s >> 64, s & ((1 << 64) - 1)), start)
    if want != tag:
        raise ValueError("the tag of GCM is wrong")
    return _counter(aes, sealed, start + 1)


def decrypt(text, mode, encrypt_key, validate_key, bits):
    if not isinstance(text, bytes):
        text = text.encode("ascii")
    size = (bits // 8 + 2) // 3 * 4
    nonce, data = text[:size], base64.b64decode(text[size:])
    salt = validate_key.encode("utf-8") + nonce
    # PBKDF2 with one iteration, for 32 bytes of SHA-1's 20 each
    key = b"".join(
        hmac.new(encrypt_key.encode("utf-8"), salt + struct.pack(">I", n), hashlib.sha1).digest() for n in (1, 2)
    )[:32]
    if mode == "none":
        return data
    aes = AES256(key)
    if mode == "gcm":
        return _gcm(aes, data)
    if mode == "ctr":
        return _counter(aes, data, 0)
    if mode == "ecb":
        return b"".join(aes.decrypt(b) for b in _blocks(data)).rstrip()
    if mode != "cbc":
        raise ValueError("mode " + mode)
    blocks = _blocks(data)
    plain = b"".join(_xor(aes.decrypt(b), before) for b, before in zip(blocks, [b"\0" * 16] + blocks))
    return plain[:-bytearray(plain)[-1]]
