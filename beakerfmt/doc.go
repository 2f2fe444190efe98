// Package beakerfmt is what Beaker itself puts on the wire and on disk: the
// signed cookie, the Cookie and Set-Cookie text, the serialized session, the
// file container and the paths of its files.
//
// Everything here is a function of bytes, text or values. Nothing opens a file,
// reads a clock or draws random numbers on its own. All functions are safe for
// concurrent use; the values they are given must not change meanwhile.
//
//	Cookie header      CookieWalk.Find         as http.cookies walks it
//	cookie value       Verify, AppendSigned    hex(HMAC-SHA1) in front of the payload
//	session id         IDRule, NewID           what may become a path or a key
//	file               DataPath, LockPath      below container_file and container_file_lock
//	file content       DecodeContainer         a pickled {'session': value}
//	memcached item     MemcachedKey, DecodeMemcached   the client libraries' flags
//	session value      Codec.DecodeValue       the dict, base64 of a pickle or of zlib JSON, or an envelope
//	cookie-only data   Codec.DecodePayload     the same base64 or envelope, in the cookie
//	envelope           EnvelopeKey, AESMode    a nonce and AES in one of four modes
//	Set-Cookie header  SetCookie.Append        to the byte what Beaker sends
package beakerfmt
