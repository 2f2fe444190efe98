// Verifies JWTs with nothing but node's own crypto: each line of the input is JSON, {"jwks":
// {"keys": […]}, "token": "…"}; each line of the output {"claims": {…}, "header": {…}} or
// {"error": "…"}. A key is found by its id, which must be its thumbprint (RFC 7638).
'use strict';
const crypto = require('node:crypto');
const readline = require('node:readline');

const members = { RSA: ['e', 'kty', 'n'], OKP: ['crv', 'kty', 'x'] };

function thumbprint(jwk) {
  const wanted = {};
  for (const name of members[jwk.kty]) wanted[name] = jwk[name];
  return crypto.createHash('sha256').update(JSON.stringify(wanted)).digest('base64url');
}

function verify({ jwks, token }) {
  const parts = token.split('.');
  if (parts.length !== 3) throw new Error('not three parts');
  const header = JSON.parse(Buffer.from(parts[0], 'base64url'));
  const jwk = jwks.keys.find((key) => key.kid === header.kid);
  if (!jwk) throw new Error('no such key');
  if (thumbprint(jwk) !== header.kid) throw new Error('the id is not the thumbprint');
  if (jwk.alg !== header.alg) throw new Error('another algorithm');
  const digest = { EdDSA: null, RS256: 'sha256' };
  if (!(header.alg in digest)) throw new Error('no such algorithm');
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
  const signed = Buffer.from(parts[0] + '.' + parts[1]);
  if (!crypto.verify(digest[header.alg], signed, key, Buffer.from(parts[2], 'base64url'))) throw new Error('bad signature');
  return { header, claims: JSON.parse(Buffer.from(parts[1], 'base64url')) };
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  let answer;
  try {
    answer = verify(JSON.parse(line));
  } catch (error) {
    answer = { error: error.message };
  }
  console.log(JSON.stringify(answer));
});
