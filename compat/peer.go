package compat

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// Peer is the Python side that must be able to read what we write. The zero
// Peer means "auto": a record is written back in the form in which it was
// read, and a new one as the newest Beaker writes it.
type Peer struct {
	// Major, Minor and Patch are Beaker's version; all 0 for auto.
	Major, Minor, Patch int
	// Python is 2 or 3, or 0 if it is not known or both are there.
	Python int
	// Crypto is the AES library that is there: "nss", "pycryptopp", "pycrypto"
	// (pycryptodome too) or "cryptography", which crypto_type = default finds only
	// from 1.14 on. Empty: not known.
	Crypto string
	// Memcached is the client library, "python-memcached", "python-memcached-1.59" (or
	// older: no later one runs on Python 2) or "pylibmc". Empty: not known.
	Memcached string
}

// sets are Pythons that go by the name of what they run, with the Beaker that was
// current when it was, or that it pins.
var sets = map[string]Peer{
	"pylons-1.0":     {Major: 1, Minor: 6, Patch: 4, Python: 2, Crypto: "pycrypto", Memcached: "python-memcached"},
	"turbogears-2.4": {Major: 1, Minor: 11, Python: 3},
	"turbogears-2.5": {Major: 1, Minor: 13, Python: 3},
	"pyramid_beaker": {Major: 1, Minor: 13, Python: 3},
	"ckan-2.9":       {Major: 1, Minor: 11},
	"ckan-2.10":      {Major: 1, Minor: 11, Python: 3},
}

// PeerNames returns the names of sets that [ParsePeer] knows beside "auto" and
// "beaker-1.11" with any version.
func PeerNames() []string { return slices.Sorted(maps.Keys(sets)) }

// ParsePeer reads the name of a peer: "auto", a release ("beaker-1.11",
// "beaker-1.6.3") or one of [PeerNames]. A release of two numbers is the last one
// of its series. What is known beside it follows behind slashes: the Python
// ("python2", "python3"), the AES library ("nss", "pycryptopp", "pycrypto",
// "cryptography") and the memcached client ("python-memcached", the same up to its
// 1.59: "python-memcached-1.59", "pylibmc"), as in
// "beaker-1.11/python2/nss". A library that this release cannot use is an error.
// Later releases than those that are known count as the newest of them.
func ParsePeer(name string) (Peer, error) {
	if name == "" || name == "auto" {
		return Peer{}, nil
	}
	parts := strings.Split(name, "/")
	p, ok := sets[parts[0]]
	if !ok {
		if p, ok = parseRelease(parts[0]); !ok {
			return Peer{}, unknownPeer(name)
		}
	}
	if oldest := eras[0].Since; p.Release().Compare(oldest) < 0 {
		return Peer{}, fmt.Errorf("compat: peer %q: a Beaker before %s is not known", name, oldest)
	}
	told, ok := parseParts(parts[1:])
	if !ok {
		return Peer{}, unknownPeer(name)
	}
	p.Python = cmp.Or(told.Python, p.Python)
	p.Crypto = cmp.Or(told.Crypto, p.Crypto)
	p.Memcached = cmp.Or(told.Memcached, p.Memcached)
	if p.Crypto != "" && !slices.Contains(p.Era().all(), p.Crypto) {
		return Peer{}, fmt.Errorf("compat: peer %q: Beaker %s does not encrypt with %s, but with one of %s", name, p.Release(), p.Crypto, strings.Join(p.Era().all(), ", "))
	}
	return p, nil
}

// parseParts reads what follows the release. Not ok: a part is not known, or says
// otherwise than another one.
func parseParts(parts []string) (p Peer, ok bool) {
	for _, part := range parts {
		before := p
		switch part {
		case "python2":
			p.Python = 2
		case "python3":
			p.Python = 3
		case "nss", "pycryptopp", "pycrypto", "cryptography":
			p.Crypto = part
		case "pycryptodome":
			p.Crypto = "pycrypto"
		case "python-memcached", "python-memcached-1.59", "pylibmc":
			p.Memcached = part
		default:
			return Peer{}, false
		}
		again := before.Python != 0 && p.Python != before.Python ||
			before.Crypto != "" && p.Crypto != before.Crypto ||
			before.Memcached != "" && p.Memcached != before.Memcached
		if again {
			return Peer{}, false
		}
	}
	return p, true
}

func unknownPeer(name string) error {
	return fmt.Errorf(`compat: peer %q is not known: use "auto", "beaker-1.11", "beaker-1.11/python2", or one of %s`, name, strings.Join(PeerNames(), ", "))
}

func parseRelease(name string) (Peer, bool) {
	version, ok := strings.CutPrefix(name, "beaker-")
	parts := strings.Split(version, ".")
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return Peer{}, false
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || strconv.Itoa(n) != part {
			return Peer{}, false
		}
		numbers[i] = n
	}
	p := Peer{Major: numbers[0], Minor: numbers[1], Patch: numbers[2]}
	if len(parts) == 2 {
		p.Patch = lastPatch[p.Minor]
	}
	return p, p.Major == 1
}

// IsAuto reports whether no particular peer is configured.
func (p Peer) IsAuto() bool { return p.Major == 0 }

// Release returns the peer's Beaker; the zero Release for auto.
func (p Peer) Release() Release { return Release{p.Major, p.Minor, p.Patch} }

// Era returns what the peer's Beaker reads and writes; auto is the newest.
func (p Peer) Era() Era {
	if p.IsAuto() {
		return eras[len(eras)-1]
	}
	return eraOf(p.Release())
}

// String gives the name that [ParsePeer] reads.
func (p Peer) String() string {
	if p.IsAuto() {
		return "auto"
	}
	s := "beaker-" + p.Release().String()
	if p.Patch == lastPatch[p.Minor] {
		s = fmt.Sprintf("beaker-%d.%d", p.Major, p.Minor)
	}
	if p.Python != 0 {
		s += fmt.Sprintf("/python%d", p.Python)
	}
	for _, part := range []string{p.Crypto, p.Memcached} {
		if part != "" {
			s += "/" + part
		}
	}
	return s
}

// Mode returns the AES mode of the library that the peer encrypts with, where
// crypto_type is as given ("default", "nss" …; "auto" means default). Of a default
// that finds an unknown library it is the mode of the first one in the era's list
// that is not nss, which hardly anybody has: CTR, and GCM from 1.14 on. Without
// any peer it is CTR, what most fleets write. A name that the peer does not know
// is an error, and so is a default that does not look for the peer's library.
//
// Beaker: crypto/__init__.py, get_crypto_module and load_default_module.
func (p Peer) Mode(cryptoType string) (beakerfmt.AESMode, error) {
	if !isDefault(cryptoType) {
		switch mode, known := p.modeOf(cryptoType); {
		case !known:
			return mode, fmt.Errorf("No crypto backend with name '%s' is registered.", cryptoType) //nolint:staticcheck // Beaker's words
		case !p.IsAuto() && !slices.Contains(p.Era().asked(), cryptoType):
			return mode, fmt.Errorf("crypto_type: %s has no %s", p, cryptoType)
		default:
			return mode, nil
		}
	}
	library := p.Crypto
	switch {
	case library != "" && !p.IsAuto() && !slices.Contains(p.Era().Libraries, library):
		return beakerfmt.AESNone, fmt.Errorf("crypto_type: by default %s does not look for that library: set crypto_type = %s", p, library)
	case library != "":
	case p.IsAuto():
		library = "pycrypto"
	default:
		all := slices.DeleteFunc(slices.Clone(p.Era().Libraries), func(l string) bool { return l == "nss" })
		library = all[0]
	}
	mode, _ := p.modeOf(library)
	return mode, nil
}

func isDefault(cryptoType string) bool {
	return cryptoType == "" || cryptoType == "default" || cryptoType == "auto"
}

// modeOf is what Beaker does with a library.
func (p Peer) modeOf(library string) (mode beakerfmt.AESMode, known bool) {
	switch library {
	case "nss":
		return beakerfmt.CBC, true
	case "cryptography":
		return beakerfmt.GCM, true
	case "pycrypto", "pycryptodome":
		return p.Era().PyCrypto, true
	case "pycryptopp":
		return beakerfmt.CTR, true
	}
	return beakerfmt.AESNone, false
}

// Form returns the form in which the peer writes a new session under these
// options: Type "cookie" or any other, DataSerializer, EncryptKey, CryptoType and
// EncryptNonceBits. The error says which of them the peer does not know.
//
// Beaker: session.py, Session.save, CookieSession._create_cookie and
// _ConfigurableSession._encrypt_data.
func (p Peer) Form(o *Options) (beakerfmt.Form, error) {
	era, cookie := p.Era(), o.Type == "cookie"
	if o.EncryptKey == "" && !cookie && !era.ServerText {
		return beakerfmt.Form{}, nil // the dict: data_serializer does not matter
	}
	f := beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2}
	if o.DataSerializer == "json" {
		if !era.JSON {
			return f, fmt.Errorf("data_serializer = json: %s has only pickle", p)
		}
		f.Serializer, f.Protocol = beakerfmt.JSON, 0
	}
	if o.EncryptKey == "" {
		return f, nil
	}
	if !cookie && !era.ServerAES {
		return f, fmt.Errorf("encrypt_key: %s encrypts cookie-only sessions alone", p)
	}
	var err error
	if f.AES, err = p.Mode(o.CryptoType); err != nil {
		return f, err
	}
	f.NonceBits = era.NonceBits
	if era.NonceBits == beakerfmt.DefaultNonceBits {
		f.NonceBits = o.EncryptNonceBits
	}
	if f.NonceBits%8 != 0 || f.NonceBits < 8 {
		return f, errors.New("encrypt_nonce_bits: Nonce complexity currently supports multiples of 8")
	}
	return f, nil
}

// Reads reports whether the peer, under these options, reads a session in this
// form, and if not, says why. A mode of AES counts only as far as the peer's
// library is known. Auto reads everything.
func (p Peer) Reads(f beakerfmt.Form, o *Options) error {
	if p.IsAuto() {
		return nil
	}
	as := *o
	if o.Type != "cookie" && !p.Era().ServerAES {
		as.EncryptKey = "" // which has no effect
	}
	own, err := p.Form(&as)
	switch {
	case err != nil:
		return err
	case own.Text == beakerfmt.TextNone && f.Text != beakerfmt.TextNone:
		return fmt.Errorf("%s reads the dict itself, not a text of base64", p)
	case own.Text != beakerfmt.TextNone && f.Text == beakerfmt.TextNone:
		return fmt.Errorf("%s reads a text of base64, not the dict itself", p)
	case own.Text == beakerfmt.TextNone:
		return nil
	case own.Serializer != f.Serializer:
		return fmt.Errorf("%s reads %s with these options, not %s", p, own.Serializer, f.Serializer)
	case own.AES == beakerfmt.AESNone && f.AES != beakerfmt.AESNone:
		return fmt.Errorf("%s has no encrypt_key", p)
	case own.AES != beakerfmt.AESNone && f.AES == beakerfmt.AESNone:
		return fmt.Errorf("%s reads encrypted sessions only", p)
	case !p.decrypts(f.AES, own.AES, o.CryptoType):
		return fmt.Errorf("%s does not decrypt AES-%s", p, f.AES)
	case own.NonceBits != f.NonceBits:
		return fmt.Errorf("%s reads nonces of %d bits, not %d", p, own.NonceBits, f.NonceBits)
	}
	return nil
}

// decrypts: an unknown library may be any that the default looks for.
func (p Peer) decrypts(m, own beakerfmt.AESMode, cryptoType string) bool {
	if own == beakerfmt.AESNone || p.Crypto != "" || !isDefault(cryptoType) {
		return m == own
	}
	return slices.ContainsFunc(p.Era().Libraries, func(l string) bool {
		mode, _ := p.modeOf(l)
		return mode == m
	})
}

// dialect is whose http.cookies parse and print the headers.
func (p Peer) dialect() beakerfmt.Dialect {
	if p.Python == 2 {
		return beakerfmt.Python2
	}
	return beakerfmt.Python3
}

// walk is how the peer reads a Cookie header. Before 1.10 Beaker had not yet
// taught Python up to 3.7 that SameSite is an attribute (Beaker: cookie.py), and
// before 1.9.1 it ran on no later one.
func (p Peer) walk(lenient bool) beakerfmt.CookieWalk {
	era := p.Era()
	return beakerfmt.CookieWalk{
		Dialect:       p.dialect(),
		StrictNames:   era.StrictNames,
		PlainSameSite: !era.ServerSameSite && (p.Python == 2 || p.Release().Compare(Release{1, 9, 1}) < 0),
		Lenient:       lenient,
	}
}
