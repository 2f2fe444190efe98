package facts

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// tripValues is what is in the session that travels: what both serializers hold.
const tripValues = `{"text": "h\u00e9llo \u4e16", "number": 42, "float": 0.5, "list": [1, "two", null, true], "dict": {"a": {"b": ""}}}`

// trip is a Trip in the making.
type trip struct {
	ctx    context.Context
	py     *python
	dir    string
	goSide compat.Options
	python compat.Options
	store  stores.Store // nil: the session is in the cookie
	m      *compat.Manager
	codec  *beakerfmt.Codec
}

// takeTrip sends a session from Python to Go and one back.
func takeTrip(ctx context.Context, py *python, dir string, o ProbeOptions, found compat.Peer) *Trip {
	t := &trip{ctx: ctx, py: py, dir: dir, goSide: simplified(o.Options, dir), python: simplified(o.Python, dir)}
	if t.goSide.Peer.IsAuto() && !o.Go {
		t.goSide.Peer = found
	}
	out := &Trip{}
	if err := t.open(); err != nil {
		out.Problem = problem(t.discreet(err))
		return out
	}
	out.ToGo = t.leg(t.toGo)
	out.ToPython = t.leg(t.toPython)
	if ctx.Err() != nil {
		out.Problem = problem(ctx.Err())
	}
	return out
}

// simplified are the options that decide whether the sides read each other, for a session
// in a directory.
func simplified(o compat.Options, dir string) compat.Options {
	s := compat.Defaults()
	s.Type, s.DataDir = "file", filepath.Join(dir, "data")
	if o.Type == "cookie" {
		s.Type, s.DataDir = "cookie", ""
	}
	s.Key, s.Secret, s.OldSecrets = o.Key, o.Secret, o.OldSecrets
	s.ValidateKey, s.OldValidateKeys = o.ValidateKey, o.OldValidateKeys
	s.EncryptKey, s.OldEncryptKeys = o.EncryptKey, o.OldEncryptKeys
	s.EncryptNonceBits, s.CryptoType, s.AcceptPlaintext = o.EncryptNonceBits, o.CryptoType, o.AcceptPlaintext
	s.DataSerializer, s.Peer, s.LenientCookies = o.DataSerializer, o.Peer, o.LenientCookies
	s.InvalidateCorrupt = false
	return s
}

// open opens the Go side.
func (t *trip) open() (err error) {
	if t.goSide.Type != "cookie" {
		if err := os.Mkdir(t.goSide.DataDir, 0o700); err != nil {
			return fmt.Errorf("doctor: round trip: %w", err)
		}
		if t.store, err = filestore.New(filestore.Options{DataDir: t.goSide.DataDir}); err != nil {
			return fmt.Errorf("doctor: round trip: %w", err)
		}
	}
	t.codec = keysOf(t.goSide).Codec(t.goSide.EncryptNonceBits)
	t.m, err = compat.New(t.goSide, t.store, compat.Environment{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("doctor: round trip: with these options Go makes no sessions: %w", err)
	}
	return nil
}

// leg makes a Leg of one direction.
func (t *trip) leg(run func(*Leg) error) Leg {
	var l Leg
	if err := run(&l); err != nil {
		l.Why = t.discreet(err).Error()
	} else {
		l.OK = true
	}
	return l
}

// The length from which on a key that stands in a text is no coincidence, and how much of
// a longer one is as bad as all of it.
const (
	leastKey = 6
	partKey  = 12
)

// discreet makes sure that no key is in an error, whoever wrote its text.
func (t *trip) discreet(err error) error {
	for _, o := range []compat.Options{t.goSide, t.python} {
		keys := keysOf(o)
		for _, k := range append(keys.Signing(), keys.Encrypt...) {
			if tells(err.Error(), k.Key) {
				return errors.New("it failed, and a key stands in what was said about it")
			}
		}
	}
	return err
}

// tells reports whether a key stands in a text, or a part of it, as it is or written in
// one of the ways in which programs show what they were given.
func tells(text, key string) bool {
	if len(key) < leastKey {
		return false
	}
	text = strings.ToLower(text)
	quoted := strconv.QuoteToASCII(key)
	encoded, _ := json.Marshal(key) // of a string it does not fail
	for _, shown := range []string{
		key, quoted[1 : len(quoted)-1], string(encoded[1 : len(encoded)-1]), url.QueryEscape(key), url.PathEscape(key),
		hex.EncodeToString([]byte(key)),
		base64.RawStdEncoding.EncodeToString([]byte(key)), base64.RawURLEncoding.EncodeToString([]byte(key)),
	} {
		shown = strings.ToLower(shown)
		part := min(len(shown), partKey)
		for i := range len(shown) - part + 1 {
			if strings.Contains(text, shown[i:i+part]) {
				return true
			}
		}
	}
	return false
}

// beakerOptions are the options as Beaker takes them.
func (t *trip) beakerOptions() map[string]any {
	o := t.python
	all := map[string]any{"type": o.Type, "key": o.Key, "invalidate_corrupt": false}
	for name, v := range map[string]string{
		"secret": o.Secret, "validate_key": o.ValidateKey, "encrypt_key": o.EncryptKey, "data_dir": o.DataDir, "crypto_type": o.CryptoType,
	} {
		if v != "" && v != "default" {
			all[name] = v
		}
	}
	if o.DataSerializer != "pickle" {
		all["data_serializer"] = o.DataSerializer
	}
	if o.EncryptNonceBits != beakerfmt.DefaultNonceBits {
		all["encrypt_nonce_bits"] = o.EncryptNonceBits
	}
	return all
}

// toGo has Beaker write a session, and reads it.
func (t *trip) toGo(l *Leg) error {
	var wrote struct{ Cookie, Failed string }
	err := t.py.ask(map[string]any{"do": "write", "options": t.beakerOptions(), "values": json.RawMessage(tripValues)}, &wrote)
	if err != nil {
		return err
	}
	if wrote.Failed != "" {
		return fmt.Errorf("Beaker does not write a session: %s", wrote.Failed) //nolint:staticcheck // a name
	}
	header := cookiePair(wrote.Cookie)
	if header == "" {
		return errors.New("Beaker has sent no cookie") //nolint:staticcheck // a name
	}
	l.Form = t.formOf(header)
	object := t.m.Open(header)
	s, err := object.Session(t.ctx)
	if err != nil {
		return fmt.Errorf("Go does not read it: %w", err) //nolint:staticcheck // a name
	}
	defer func() { _ = object.Close() }()
	if s.IsNew() {
		return errors.New("Go does not know the session by its cookie: is the name or the secret another one?") //nolint:staticcheck // a name
	}
	want, err := values()
	if err != nil {
		return err
	}
	for name, v := range want.All() {
		key, _ := pyvalue.Text(name)
		got, _ := s.Get(key)
		if !sameJSON(got, v) {
			return fmt.Errorf("Go reads it, but what Beaker put under %q is something else there", key) //nolint:staticcheck // a name
		}
	}
	return nil
}

// toPython writes a session, and has Beaker read it.
func (t *trip) toPython(l *Leg) error {
	object := t.m.Open("")
	defer func() { _ = object.Close() }()
	s, err := object.Session(t.ctx)
	if err != nil {
		return err
	}
	want, err := values()
	if err != nil {
		return err
	}
	names := []string{}
	for name, v := range want.All() {
		key, _ := pyvalue.Text(name)
		names = append(names, key)
		if err := s.Set(key, v); err != nil {
			return err
		}
	}
	s.Save()
	if err := object.Persist(t.ctx); err != nil {
		return fmt.Errorf("Go does not write it: %w", err) //nolint:staticcheck // a name
	}
	sent, _ := object.SetCookie()
	header := cookiePair(sent)
	l.Form = t.formOf(header)
	var read struct {
		Failed string
		New    bool
		Values map[string]json.RawMessage
	}
	err = t.py.ask(map[string]any{"do": "read", "options": t.beakerOptions(), "cookie": header, "names": names}, &read)
	switch {
	case err != nil:
		return err
	case read.Failed != "":
		return fmt.Errorf("Beaker does not read it: %s", read.Failed) //nolint:staticcheck // a name
	case string(read.Values[names[0]]) == "null":
		return errors.New("Beaker sees a new session: it does not accept the cookie, or does not find the record") //nolint:staticcheck // a name
	}
	for _, key := range names {
		v, err := pyjson.Decode(read.Values[key], pyjson.Limits{})
		if mine, _ := want.GetStr(key); err != nil || !sameJSON(v, mine) {
			return fmt.Errorf("Beaker reads it, but what Go put under %q is something else there", key) //nolint:staticcheck // a name
		}
	}
	return nil
}

// values are what travels, as Python values.
func values() (*pyvalue.Dict, error) {
	v, err := pyjson.Decode([]byte(tripValues), pyjson.Limits{})
	if err != nil {
		return nil, fmt.Errorf("doctor: round trip: %w", err)
	}
	return v.(*pyvalue.Dict), nil
}

// sameJSON compares values by what JSON makes of them: whether a text is a str of Python
// 2 or a unicode is no matter.
func sameJSON(a, b pyvalue.Value) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	x, err1 := pyjson.Append(nil, a)
	y, err2 := pyjson.Append(nil, b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// cookiePair is name and value of a Set-Cookie text.
func cookiePair(text string) string {
	pair, _, _ := strings.Cut(strings.TrimSpace(text), ";")
	return strings.TrimSpace(pair)
}

// formOf names the form of the session that was just written; "" if it cannot be seen.
func (t *trip) formOf(header string) string {
	_, value, _ := strings.Cut(header, "=")
	value = strings.Trim(value, `"`)
	if t.store == nil {
		if len(value) <= beakerfmt.SignatureLen {
			return ""
		}
		d, err := inspect.Payload(value[beakerfmt.SignatureLen:], -1, t.codec)
		if err != nil {
			return ""
		}
		return inspect.Kind(d.Form)
	}
	id := value
	if len(id) > beakerfmt.SignatureLen && t.python.Secret != "" {
		id = id[beakerfmt.SignatureLen:]
	}
	v, err := stores.Look(t.ctx, t.store, id)
	if err != nil {
		return ""
	}
	d, err := inspect.Stored(v, t.codec)
	if err != nil {
		return ""
	}
	return inspect.Kind(d.Form)
}
