package compat

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// Release is a release of Beaker.
type Release struct{ Major, Minor, Patch int }

// Compare is negative if r is older than other, zero if it is the same.
func (r Release) Compare(other Release) int {
	return cmp.Or(r.Major-other.Major, r.Minor-other.Minor, r.Patch-other.Patch)
}

// String gives "1.6.4".
func (r Release) String() string { return fmt.Sprintf("%d.%d.%d", r.Major, r.Minor, r.Patch) }

// Era is a range of Beaker's releases that read and write alike, from Since up
// to the Since of the next one.
type Era struct {
	Since Release

	// ServerText: a server-side session without encryption is a text of base64.
	// Before it is the dict itself, and data_serializer does not matter. Neither
	// reads the other. An encrypted one is a text in every era (Beaker:
	// Session.save and load).
	ServerText bool
	// ServerAES: encrypt_key holds for server-side sessions too.
	ServerAES bool
	// JSON: there is data_serializer = json.
	JSON bool
	// Libraries are those that crypto_type = default looks for, in this order, and
	// CryptoTypes those that can be asked for by name; "default" itself is not one of
	// them (Beaker: crypto/__init__.py, load_default_module and get_crypto_module).
	Libraries, CryptoTypes []string
	// PyCrypto is what the module of PyCrypto and pycryptodome encrypts with
	// (Beaker: crypto/pycrypto.py).
	PyCrypto beakerfmt.AESMode
	// NonceBits is the size of a nonce: as encrypt_nonce_bits says, or, where it
	// is 48, whatever that says (Beaker: crypto/__init__.py, get_nonce_size).
	NonceBits int

	// StrictNames: a cookie with an illegal name spoils the whole Cookie header
	// (Beaker: cookie.py).
	StrictNames bool
	// ServerSameSite and CookieSameSite: the cookie has a SameSite attribute, with
	// server-side and with cookie-only sessions.
	ServerSameSite, CookieSameSite bool
	// ConfigKeys: every session has the keys _domain and _path (Beaker:
	// _ConfigurableSession).
	ConfigKeys bool
}

// eras has what was found by experiment with every release from 1.3 on; the
// tests hold it against fixtures and against the releases themselves.
var eras = []Era{
	{Since: Release{1, 3, 0}, NonceBits: 48, PyCrypto: beakerfmt.ECB, Libraries: oldestLibraries, StrictNames: true},
	{Since: Release{1, 6, 2}, NonceBits: 48, PyCrypto: beakerfmt.ECB, Libraries: oldestLibraries, StrictNames: true, ServerAES: true},
	{Since: Release{1, 6, 4}, NonceBits: 48, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, StrictNames: true, ServerAES: true},
	{Since: Release{1, 8, 0}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, ServerAES: true, JSON: true},
	{Since: Release{1, 9, 0}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, CryptoTypes: oldTypes, ServerAES: true, JSON: true},
	{Since: Release{1, 10, 0}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, CryptoTypes: oldTypes, ServerAES: true, JSON: true, ServerSameSite: true},
	{Since: Release{1, 10, 1}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, CryptoTypes: oldTypes, ServerAES: true, JSON: true, ServerSameSite: true, CookieSameSite: true},
	{Since: Release{1, 11, 0}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, CryptoTypes: oldTypes, ServerAES: true, JSON: true, ServerSameSite: true, CookieSameSite: true, ConfigKeys: true},
	{Since: Release{1, 12, 0}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: oldLibraries, CryptoTypes: oldTypes, ServerAES: true, JSON: true, ServerSameSite: true, CookieSameSite: true, ConfigKeys: true, ServerText: true},
	// From here on the default may be GCM, which logs out everybody whose session was
	// encrypted by the default of before.
	{Since: Release{1, 14, 0}, NonceBits: 128, PyCrypto: beakerfmt.CTR, Libraries: newLibraries, CryptoTypes: newTypes, ServerAES: true, JSON: true, ServerSameSite: true, CookieSameSite: true, ConfigKeys: true, ServerText: true},
}

var (
	oldestLibraries = []string{"pycryptopp", "pycrypto"}
	oldLibraries    = []string{"nss", "pycryptopp", "pycrypto"}
	newLibraries    = []string{"cryptography", "pycrypto"}
	oldTypes        = []string{"nss", "pycrypto", "cryptography"}
	newTypes        = []string{"pycryptodome", "pycrypto", "cryptography"}
)

// Eras returns the eras of Beaker's formats, the oldest first. Nothing in them
// may be changed.
func Eras() []Era { return slices.Clone(eras) }

// eraOf returns the era of a release. One older than all counts as the oldest.
func eraOf(r Release) Era {
	for _, e := range slices.Backward(eras) {
		if r.Compare(e.Since) >= 0 {
			return e
		}
	}
	return eras[0]
}

// asked are the libraries that can be meant by name: where there is no
// crypto_type, those that may be there.
func (e Era) asked() []string {
	if len(e.CryptoTypes) == 0 {
		return e.Libraries
	}
	return e.CryptoTypes
}

// all are the libraries that can be in use.
func (e Era) all() []string {
	all := slices.Concat(e.Libraries, e.CryptoTypes)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(l string) bool { return l == "pycryptodome" }) // another pycrypto
}

// lastPatch is the last release of each series, which is meant by "1.6".
var lastPatch = map[int]int{3: 1, 4: 2, 5: 4, 6: 5, 8: 1, 9: 1, 10: 1, 12: 1, 14: 1}
