package doctor

import (
	"fmt"
	"math"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

// cve20123458 is where Beaker's PyCrypto module left ECB.
var cve20123458 = compat.Release{Major: 1, Minor: 6, Patch: 4}

func cryptoChecks() []Check {
	return []Check{
		{"crypto-library-unknown", Warning, "Nobody has looked whether Python has an AES library",
			"With crypto_type = default, Beaker takes what is installed. Where there is nothing, Beaker from 1.9 on stores server-side sessions in clear without a word, as if encrypt_key were not set; and where two applications find different libraries, neither reads the other.",
			"Let doctor ask the application's Python (--python), or say it: --peer beaker-1.13/python3/pycrypto, peer = in gobeaker.toml.", func(s *Side, r *report) {
				p := s.peer()
				if s.options().EncryptKey != "" && defaultCrypto(s) && p.Crypto == "" && s.Python == nil {
					r.add(s.at("encrypt_key"))
				}
			}, nil},
		{"crypto-ecb", Error, "This Beaker encrypts with AES-ECB (CVE-2012-3458)",
			"Up to 1.6.3 Beaker uses PyCrypto in ECB mode: equal blocks of a session look equal, so parts of it can be guessed, and in a cookie recombined. Those sessions stay as they are until they are written anew.",
			"Upgrade Beaker to 1.6.4 or later. It does not read the old sessions; gobeaker does, and converts them (gobeaker convert, gobeaker migrate).", func(s *Side, r *report) {
				p := s.peer()
				mode, err := p.Mode(s.taken().CryptoType)
				if s.encrypts() && err == nil && mode == beakerfmt.ECB && s.before(cve20123458) {
					r.add(s.at("encrypt_key")).saying("The peer is %s.", p)
				}
			}, nil},
		{"crypto-unauthenticated", Info, "Encryption does not keep sessions from being changed",
			"AES-CTR and AES-CBC, all that Beaker up to 1.13 has by default, hide what a session says. Who can write to the store can still flip bits in it, or exchange records, and nobody notices.",
			"Keep others from writing to the store. crypto_type = cryptography (AES-GCM, Beaker from 1.9 on) notices changes; it has to be the same in all applications, and does not read what is there.", func(s *Side, r *report) {
				mode, err := s.peer().Mode(s.taken().CryptoType)
				if s.encrypts() && s.onServer() && err == nil && mode != beakerfmt.GCM && mode != beakerfmt.ECB {
					r.add(s.at("encrypt_key"))
				}
			}, nil},
		{"nonce-short", Warning, "Nonces of 48 bits repeat",
			"The key of each session's encryption comes from a random nonce. With CTR, two texts under the same nonce can be compared and, where one is known, the other is read. With 48 bits one pair in two is expected after some 20 million writes, and with Beaker's habit of writing at every request that is soon.",
			"Set encrypt_nonce_bits = 128 as soon as no Beaker before 1.8 has to read the sessions. Both sides have to change together; gobeaker reads both.", checkNonce, nil},
		{"encrypt-key-ignored", Error, "This Beaker does not encrypt sessions in a store",
			"Up to 1.6.1 encrypt_key holds for cookie-only sessions alone. What is in the store is in clear.",
			"Upgrade Beaker, or do not count on the encryption.", func(s *Side, r *report) {
				if p := s.peer(); s.options().EncryptKey != "" && s.onServer() && !p.IsAuto() && !p.Era().ServerAES {
					r.add(s.at("encrypt_key")).saying("The peer is %s.", p)
				}
			}, nil},
		{"cookie-in-clear", Info, "What is in the session can be read by its owner",
			"A cookie-only session without encrypt_key is signed, not encrypted: whoever has the browser, or a log of its headers, can read it.",
			"Set encrypt_key beside validate_key if there is anything in the sessions that users should not see.", func(s *Side, r *report) {
				if s.cookieOnly() && s.options().EncryptKey == "" {
					r.add(s.at("type"))
				}
			}, nil},
		{"pickle-in-cookie", Warning, "The cookie is a pickle (CVE-2013-7489)",
			"Python runs whatever a pickle tells it to. Nothing but validate_key stands between a browser and running code in the application: who learns it once, from a repository, a backup or a log, owns the server. gobeaker itself runs nothing that is in a pickle.",
			"Set data_serializer = json (Beaker from 1.8 on) after a look with gobeaker doctor or gobeaker convert at what JSON cannot carry; until then guard validate_key well.", func(s *Side, r *report) {
				if !s.cookieOnly() || s.options().DataSerializer == "json" {
					return
				}
				f := r.add(s.at("type"))
				if bits, _ := strength(s.options().ValidateKey); s.options().ValidateKey != "" && (bits < hopelessBits || isKnown(s.options().ValidateKey)) {
					f.as(Error).saying("And this validate_key can be guessed.")
				}
			}, nil},
		{"json-ignored", Warning, "data_serializer = json has no effect in this Beaker",
			"Up to 1.11 a server-side session without encrypt_key is pickled with its record, whatever data_serializer says, so the dangers of pickle (CVE-2013-7489) remain.",
			"Upgrade to Beaker 1.12 or later: see the form of the sessions first, it changes with that release.", func(s *Side, r *report) {
				p := s.peer()
				if s.options().DataSerializer == "json" && s.onServer() && s.options().EncryptKey == "" && !p.IsAuto() && !p.Era().ServerText {
					r.add(s.at("data_serializer")).saying("The peer is %s.", p)
				}
			}, nil},
		{"peer-refuses-options", Error, "This Beaker cannot do what the options ask for",
			"It fails at the first session, or writes what the other side does not expect.",
			"Change the option, or name the right peer.", func(s *Side, r *report) {
				p := s.peer()
				if _, err := (compat.Peer{}).Form(s.options()); err != nil {
					return // options-refused
				}
				if _, err := p.Form(s.taken()); err != nil && (p.Era().ServerAES || s.cookieOnly()) {
					r.add(s.at("crypto_type", "data_serializer", "encrypt_nonce_bits")).saying("%v.", err)
				}
			}, nil},
	}
}

func defaultCrypto(s *Side) bool {
	t := s.options().CryptoType
	return t == "" || t == "default" || t == "auto"
}

func checkNonce(s *Side, r *report) {
	if !s.encrypts() {
		return
	}
	bits := s.options().EncryptNonceBits
	if p := s.peer(); !p.IsAuto() && p.Era().NonceBits < beakerfmt.DefaultNonceBits {
		bits = p.Era().NonceBits
	}
	if bits < beakerfmt.DefaultNonceBits {
		f := r.add(s.at("encrypt_nonce_bits", "encrypt_key")).saying("Here they have %d bits: %s.", bits, collisions(bits))
		if bits >= 96 {
			f.as(Info)
		}
	}
}

// collisions tells after how many random nonces two are the same with a probability of
// one in a million, and of a half (the birthday problem).
func collisions(bits int) string {
	after := func(probability float64) string {
		n := math.Sqrt(2 * math.Ldexp(1, bits) * -math.Log1p(-probability))
		return fmt.Sprintf("%.2g", n)
	}
	return fmt.Sprintf("two are the same after %s writes with a probability of one in a million, after %s with one of a half", after(1e-6), after(0.5))
}
