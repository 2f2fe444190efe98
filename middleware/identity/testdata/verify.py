"""verify.js for Python, with the library cryptography."""
import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

MEMBERS = {"RSA": ["e", "kty", "n"], "OKP": ["crv", "kty", "x"]}


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(unbase64(text), "big")


def thumbprint(jwk):
    wanted = {name: jwk[name] for name in MEMBERS[jwk["kty"]]}
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True, separators=(",", ":")).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def verify(jwks, token):
    head, payload, signature = token.split(".")
    header = json.loads(unbase64(head))
    (jwk,) = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
    if thumbprint(jwk) != header["kid"]:
        raise ValueError("the id is not the thumbprint")
    if jwk["alg"] != header["alg"]:
        raise ValueError("another algorithm")
    signed, signature = (head + "." + payload).encode(), unbase64(signature)
    if header["alg"] == "RS256":
        key = rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key()
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    elif header["alg"] == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(unbase64(jwk["x"])).verify(signature, signed)
    else:
        raise ValueError("no such algorithm")
    return {"header": header, "claims": json.loads(unbase64(payload))}


for line in iter(sys.stdin.readline, ""):
    try:
        answer = verify(**json.loads(line))
    except InvalidSignature:
        answer = {"error": "bad signature"}
    except (ValueError, KeyError) as problem:
        answer = {"error": str(problem)}
    print(json.dumps(answer), flush=True)
