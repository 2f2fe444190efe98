"""Asks this Python to read the encrypted sessions that `gobeaker verify --rewrite`
wrote, and those that real Beaker wrote, which shows that it decrypts as Beaker does.

    python reread_encrypted.py SCRIPTS DIR OUT FORMS

SCRIPTS is the folder with fixtures/reread.py, whose comparison this is; FORMS is what
`gobeaker verify --json DIR` printed: the mode and the nonce of each.
"""
import io
import json
import os
import pickle
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(sys.argv[1], "fixtures"))
import envelope  # noqa: E402
import reread  # noqa: E402


def decode(text, modes, keys):
    """The first mode that gives a session. GCM, which is authenticated, goes first."""
    for mode in modes:
        try:
            return loads(envelope.decrypt(text, mode, *keys))
        except Exception:  # whatever a wrong plaintext makes of itself
            if mode == modes[-1]:
                raise


def loads(data):
    if data[:1] == b"\x78":
        return json.loads(zlib.decompress(data).decode("utf-8"))
    return pickle.loads(data)


def main(dir, out, forms):
    reread.install_appmod()
    same = different = 0
    with io.open(forms, encoding="utf-8") as lines:
        results = [json.loads(line) for line in lines if line.startswith("{")]
    forms = dict((r["id"], r["form"]) for r in results)
    with io.open(os.path.join(dir, "manifest.jsonl"), encoding="utf-8") as lines:
        fixtures = [json.loads(line) for line in lines]
    for f in fixtures:
        o = f["options"]
        if f["kind"] != "positive" or "encrypt_key" not in o:
            continue
        version = f["python"].split("(")[0].split(".")[:2]
        if version != [str(n) for n in sys.version_info[:2]]:
            continue
        form = forms[f["id"]]
        keys = o["encrypt_key"], o["validate_key"], form["nonce_bits"]
        # What Beaker left in clear is encrypted now.
        modes = [[form["aes"]], [form["aes"]]] if form.get("aes") else [["none"], ["gcm", "ctr"]]
        calls = iter(modes)
        reread.decode_text = lambda text: decode(text, next(calls), keys)
        try:
            why = reread.compare(dir, out, f)
        except Exception as e:  # whatever unpickling may raise
            why = "%s: %s" % (type(e).__name__, e)
        if why:
            different += 1
            print("differs %s: %s" % (f["id"], why))
        else:
            same += 1
    print("%d same, %d different" % (same, different))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[2:]))
