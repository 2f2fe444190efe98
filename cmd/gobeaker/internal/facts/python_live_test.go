package facts

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// The keys of the tests, which must not show anywhere.
const (
	testSecret   = "kept-secret-1"
	testValidate = "kept-validate-2"
	testEncrypt  = "kept-encrypt-3"
)

// options are session options with these changes.
func options(change ...func(*compat.Options)) compat.Options {
	o := compat.Defaults()
	o.Type, o.DataDir = "file", "/nowhere"
	for _, f := range change {
		f(&o)
	}
	return o
}

func signed(o *compat.Options)     { o.Secret = testSecret }
func asJSON(o *compat.Options)     { o.DataSerializer = "json" }
func cookieOnly(o *compat.Options) { o.Type, o.DataDir, o.ValidateKey = "cookie", "", testValidate }
func sealed(o *compat.Options)     { o.EncryptKey, o.ValidateKey = testEncrypt, testValidate }

func as(t *testing.T, peer string) func(*compat.Options) {
	t.Helper()
	p, err := compat.ParsePeer(peer)
	require.NoError(t, err)
	return func(o *compat.Options) { o.Peer = p }
}

// probe probes a Python for one set of options.
func probe(t *testing.T, exe string, o compat.Options) *Probe {
	t.Helper()
	return probeBoth(t, exe, o, o)
}

func probeBoth(t *testing.T, exe string, inGo, inPython compat.Options) *Probe {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	p := ProbePython(t.Context(), ProbeOptions{Exe: exe, Options: inGo, Python: inPython, Time: 2 * time.Minute})
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left, "the directory is removed")
	return p
}

// requireDiscreet: no key shows.
func requireDiscreet(t *testing.T, v any) {
	t.Helper()
	for _, key := range []string{testSecret, testValidate, testEncrypt} {
		require.NotContains(t, jsonText(t, v), key)
	}
}

// TestProbeBeakers: of every Beaker it is known what it is, and a session goes to and fro.
func TestProbeBeakers(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range peers.Beakers(t) {
		if testing.Short() && seen[v.Beaker] { // one Python of each
			continue
		}
		seen[v.Beaker] = true
		t.Run(v.Name, func(t *testing.T) {
			p := probe(t, v.Exe, options(signed))
			require.Nil(t, p.Problem)
			require.Equal(t, v.Python, p.Python)
			require.True(t, strings.HasPrefix(p.Beaker, v.Beaker), p.Beaker) // 1.6.5.post1
			require.True(t, strings.HasSuffix(p.From, "beaker"), p.From)
			require.True(t, strings.HasPrefix(p.Name, strings.Split(v.Peer(), "/")[0]), p.Name)
			want := 3
			if v.Python2() {
				want = 2
			}
			require.Equal(t, want, p.Peer.Python)
			require.Less(t, p.Skew.Abs(), 2*time.Minute)
			require.Equal(t, p.Takes, p.Peer.Crypto)
			require.True(t, hasModule(p.Crypto, p.Takes) || p.Takes == "", "%v %v", p.Crypto, p.Takes)

			requireTrip(t, p)

			all := map[string]compat.Options{}
			if !testing.Short() {
				all["bare"], all["cookie"] = options(), options(cookieOnly)
				all["json"], all["cookie json"] = options(signed, asJSON), options(cookieOnly, asJSON)
			}
			if p.Takes != "" {
				all["sealed cookie"] = options(cookieOnly, sealed)
				if !testing.Short() {
					all["sealed"] = options(signed, sealed)
				}
			}
			for name, o := range all {
				if o.DataSerializer == "json" && !p.Peer.Era().JSON {
					continue
				}
				t.Log(name)
				requireTrip(t, probe(t, v.Exe, o))
			}
		})
	}
}

// requireTrip: a session went to and fro, in one form.
func requireTrip(t *testing.T, p *Probe) {
	t.Helper()
	require.Nil(t, p.Problem)
	require.NotNil(t, p.Trip)
	require.Nil(t, p.Trip.Problem)
	require.True(t, p.Trip.ToGo.OK, "%+v", p.Trip)
	require.True(t, p.Trip.ToPython.OK, "%+v", p.Trip)
	require.Equal(t, p.Trip.ToGo.Form, p.Trip.ToPython.Form)
	require.NotEmpty(t, p.Trip.ToGo.Form)
	requireDiscreet(t, p)
}

func hasModule(all []Module, library string) bool {
	for _, m := range all {
		for _, d := range append(distributions[library], library) {
			if m.Name == d && m.Usable {
				return true
			}
		}
	}
	return false
}

// beakerOf finds a Beaker of that version.
func beakerOf(t *testing.T, version string, python2 bool) peers.Venv {
	t.Helper()
	for _, v := range peers.Beakers(t) {
		if v.Beaker == version && v.Python2() == python2 {
			return v
		}
	}
	t.Skipf("there is no Beaker %s", version)
	return peers.Venv{}
}

// TestWrongPairs: what does not go together is found, in the direction in which it
// fails.
func TestWrongPairs(t *testing.T) {
	old, now := beakerOf(t, "1.11.0", false), beakerOf(t, "1.13.0", false)
	for _, c := range []struct {
		name             string
		exe              string
		inGo, inPython   compat.Options
		toGo, toPython   string // a part of why it fails; "": it does not
		problem, inForms string
	}{
		{
			name: "a new form for an old Beaker", exe: old.Exe,
			inGo: options(signed, as(t, "beaker-1.13/python3")), inPython: options(signed),
			toPython: "Beaker does not read it",
		},
		{
			name: "an old form for a new Beaker", exe: now.Exe,
			inGo: options(signed, as(t, "beaker-1.11/python3")), inPython: options(signed),
			toPython: "Beaker does not read it",
		},
		{
			name: "JSON here, pickle there", exe: now.Exe,
			inGo: options(signed, asJSON), inPython: options(signed),
			toPython: "Beaker does not read it",
		},
		{
			name: "other nonces", exe: now.Exe,
			inGo:     options(signed, sealed, func(o *compat.Options) { o.EncryptNonceBits = 48 }),
			inPython: options(signed, sealed),
			toPython: "Beaker", // it makes a session of the garbage, or an error, as it comes,
		},
		{
			name: "another secret", exe: now.Exe,
			inGo: options(signed, func(o *compat.Options) { o.Secret = "another-key-9" }), inPython: options(signed),
			toGo: "does not know the session by its cookie", toPython: "Beaker sees a new session",
		},
		{
			name: "another key", exe: now.Exe,
			inGo:     options(signed, sealed, func(o *compat.Options) { o.EncryptKey = "another-key-9" }),
			inPython: options(signed, sealed),
			toGo:     "cannot be decrypted", toPython: "Beaker",
		},
		{
			name: "another name of the cookie", exe: now.Exe,
			inGo: options(signed, func(o *compat.Options) { o.Key = "sid" }), inPython: options(signed),
			toGo: "does not know the session by its cookie", toPython: "Beaker sees a new session",
		},
		{
			name: "a crypto_type that there is not", exe: now.Exe,
			inGo: options(signed, sealed), inPython: options(signed, sealed, func(o *compat.Options) { o.CryptoType = "rot13" }),
			toGo: "No crypto backend with name 'rot13'", toPython: "No crypto backend with name 'rot13'",
		},
		{
			name: "options that Go refuses", exe: now.Exe,
			inGo: options(func(o *compat.Options) { o.Key = "a b" }), inPython: options(), problem: "not a cookie name",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := probeBoth(t, c.exe, c.inGo, c.inPython)
			require.Nil(t, p.Problem)
			require.NotNil(t, p.Trip)
			requireDiscreet(t, p)
			if c.problem != "" {
				require.Contains(t, p.Trip.Problem.Text, c.problem)
				return
			}
			require.Nil(t, p.Trip.Problem)
			requireLeg(t, c.toGo, p.Trip.ToGo)
			requireLeg(t, c.toPython, p.Trip.ToPython)
		})
	}
}

// TestGoOnItsOwn: a Go program with peer = auto writes what auto writes, whoever is
// asked, so that the round trip shows what will happen. Other keys are no matter of it.
func TestGoOnItsOwn(t *testing.T) {
	old := beakerOf(t, "1.11.0", false)
	told := AskPython(t.Context(), old.Exe)
	require.Nil(t, told.Problem)
	require.Nil(t, told.Trip)
	require.Equal(t, 3, told.Peer.Python)
	require.Equal(t, 11, told.Peer.Minor)

	python := options(signed)
	look := func(o compat.Options, python *compat.Options) *Trip {
		return Look(t.Context(), LookOptions{Options: o, PythonOptions: python, Python: old.Exe}).Python.Trip
	}
	trip := look(options(signed), &python)
	requireLeg(t, "", trip.ToGo)
	requireLeg(t, "Beaker", trip.ToPython)
	trip = look(options(signed), nil)
	requireLeg(t, "", trip.ToPython)
	require.Nil(t, look(options(signed, func(o *compat.Options) { o.Secret = "another-key-9" }), &python))
}

func requireLeg(t *testing.T, why string, l Leg) {
	t.Helper()
	require.Equal(t, why == "", l.OK, "%+v", l)
	require.Contains(t, l.Why, why)
}

// TestWithoutAES: a Beaker that finds no library for AES stores in clear, which Go
// refuses; old ones refuse it themselves.
func TestWithoutAES(t *testing.T) {
	all, err := peers.Load()
	if all == nil {
		peers.Missing(t, err)
	}
	seen := map[string]bool{"1.3": true, "1.5.4": true, "1.6.3": true} // these do not encrypt on servers, or not always
	known := len(seen)
	for _, v := range all {
		if !strings.HasSuffix(v.Name, "-none") || seen[v.Beaker] {
			continue
		}
		seen[v.Beaker] = true
		p := probe(t, v.Exe, options(signed, sealed))
		require.Nil(t, p.Problem, v.Name)
		require.Empty(t, p.Takes, v.Name)
		require.Empty(t, p.Crypto, v.Name)
		require.False(t, p.Trip.ToGo.OK, "%s: %+v", v.Name, p.Trip)
		require.False(t, p.Trip.ToPython.OK, "%s: %+v", v.Name, p.Trip)
		requireDiscreet(t, p)
		p = probe(t, v.Exe, options(cookieOnly, sealed))
		require.Contains(t, p.Trip.ToGo.Why, "No AES library is installed", v.Name)
	}
	if len(seen) == known {
		t.Skip("there is no Beaker without a library for AES")
	}
}

// TestProbeLibraries: which library of several is taken, and the clients of memcached.
func TestProbeLibraries(t *testing.T) {
	for _, v := range peers.Stores(t) {
		p := probe(t, v.Exe, options(signed))
		require.Nil(t, p.Problem, v.Name)
		require.Contains(t, v.Peer(), p.Peer.Memcached, v.Name)
		require.Equal(t, v.Packages["pylibmc"] != "" || v.Packages["python-memcached"] != "", p.Peer.Memcached != "", v.Name)
		for _, name := range []string{"redis", "sqlalchemy"} {
			require.Equal(t, v.Packages[name], versionOf(p.Packages, name), v.Name)
		}
	}
	named := func(o *compat.Options) { o.CryptoType = "cryptography" }
	for _, v := range peers.Beakers(t) {
		if v.Packages["cryptography"] == "" || v.Beaker < "1.9" && len(v.Beaker) == 5 {
			continue
		}
		p := probe(t, v.Exe, options(signed, sealed, named))
		require.Equal(t, "cryptography", p.Takes, v.Name)
		require.Equal(t, "text pickle aes-gcm", p.Trip.ToGo.Form, v.Name)
		requireTrip(t, p)
		if testing.Short() {
			break
		}
	}
}

func versionOf(all []Module, name string) string {
	for _, m := range all {
		if m.Name == name {
			return m.Version
		}
	}
	return ""
}
