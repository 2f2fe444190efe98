package facts

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/convert"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// mostNames bounds how many things of a kind are told apart.
const mostNames = 200

// others is the name of those beyond, and otherKeys of keys that do not look like names.
const (
	others    = "(others)"
	otherKeys = "(other keys)"
)

// counter counts what is found in sessions.
type counter struct {
	classes map[string]*Class
	losses  map[lossKind]*Loss
	forms   map[beakerfmt.Form]*FormCount
}

// lossKind is a Loss without its count.
type lossKind struct{ key, kind, becomes string }

// see counts a session.
func (c *Count) see(id string) {
	c.Sessions++
	if len(c.Examples) < MostExamples {
		c.Examples = append(c.Examples, beakerfmt.HashID(id))
	}
}

// add counts a session under a name.
func (c *counter) add(in *Tally, name, id string) {
	if *in == nil {
		*in = Tally{}
	}
	if _, known := (*in)[name]; !known && len(*in) >= mostNames {
		name = others
	}
	n := (*in)[name]
	n.see(id)
	(*in)[name] = n
}

// reason says why a session cannot be read, in words that are the same for all that
// have the same reason, and have nothing of it in them.
func reason(err error) string {
	for _, known := range []struct {
		err  error
		says string
	}{
		{stores.ErrAccess, "its file may not be read"},
		{stores.ErrTooLarge, "it is too large"},
		{stores.ErrInvalidID, "its id is not acceptable"},
		{beakerfmt.ErrEncrypted, "it is encrypted, and there is no encrypt_key"},
		{beakerfmt.ErrDecrypt, "it is encrypted, and none of the keys opens it"},
		{pickle.ErrLimit, "its pickle is beyond the limits"},
		{pyjson.ErrLimit, "its JSON is beyond the limits"},
		{pickle.ErrSyntax, "it is no whole pickle"},
	} {
		if errors.Is(err, known.err) {
			return known.says
		}
	}
	return "it is damaged, or no session of Beaker"
}

// add counts a record that the store gave; err is why it could not be decoded.
func (t *taker) add(i record, d *inspect.Decoded, err error) {
	id := i.ID
	session, isDict := d.Session.(*pyvalue.Dict)
	switch {
	case errors.Is(err, beakerfmt.ErrNoSession), err == nil && isDict && isDeleted(session):
		t.count.add(&t.States, "empty", id)
		return
	case err == nil && !isDict:
		err = beakerfmt.ErrCorrupt
	}
	if err != nil {
		t.Looked--
		t.unreadable(id, err)
		return
	}
	t.form(id, d)
	t.writer(id, d)
	t.times(i, session)
	t.values(id, session, d)
}

// record is what the list told of a record.
type record = stores.Info

// isDeleted recognises what Beaker from 1.11 on leaves of a deleted session.
func isDeleted(d *pyvalue.Dict) bool {
	for k := range d.All() {
		switch name, _ := pyvalue.Text(k); name {
		case "_domain", "_path", "_accessed_time":
		default:
			return false
		}
	}
	return true
}

// form counts how a session stands in the store.
func (t *taker) form(id string, d *inspect.Decoded) {
	f, c := d.Form, &t.count
	c.add(&t.Forms, inspect.Kind(f), id)
	c.add(&t.Texts, f.Text.String(), id)
	if f.Text != beakerfmt.TextNone {
		c.add(&t.Serializers, f.Serializer.String(), id)
	} else {
		c.add(&t.Serializers, "pickle", id)
	}
	if p := d.JSON().Protocol; p != nil && (f.Text != beakerfmt.TextNone || d.Outer != nil) {
		c.add(&t.Protocols, strconv.Itoa(*p), id)
	}
	if d.Outer != nil {
		c.add(&t.Containers, strconv.Itoa(d.Outer.Protocol), id)
	}
	hasKey := t.o.Options.EncryptKey != ""
	switch {
	case f.AES != beakerfmt.AESNone:
		c.add(&t.AES, f.AES.String(), id)
		c.add(&t.NonceBits, strconv.Itoa(f.NonceBits), id)
		if f.EncryptKey > 0 || f.ValidateKey > 0 {
			t.OlderKey.see(id)
		}
	case f.NonceBits > 0:
		t.ClearNonce.see(id)
	case hasKey:
		t.Plaintext.see(id)
	}
	f.EncryptKey, f.ValidateKey = 0, 0
	if c.forms == nil {
		c.forms = map[beakerfmt.Form]*FormCount{}
	}
	n := c.forms[f]
	if n == nil {
		n = &FormCount{Form: f}
		c.forms[f] = n
	}
	n.see(id)
}

// writer counts who probably wrote it.
func (t *taker) writer(id string, d *inspect.Decoded) {
	w := d.Writer(inspect.InFile)
	beaker := "any"
	if w.Beaker != nil {
		beaker = w.Beaker.String()
	}
	t.count.add(&t.Beakers, beaker, id)
	_, python, found := strings.Cut(w.String(), ", ")
	if w.Beaker == nil || !found {
		python = w.String()
	}
	t.count.add(&t.Pythons, python, id)
}

// times counts what the session's times tell.
func (t *taker) times(i record, session *pyvalue.Dict) {
	id, now := i.ID, t.o.Now()
	at, ok := inspect.TimeOf(session, "_accessed_time")
	state := "live"
	switch {
	case !ok:
		t.NoAccessed.see(id)
	case t.o.Options.Timeout != compat.NoTimeout && now.Sub(at) > t.o.Options.Timeout:
		state = "expired"
	}
	t.count.add(&t.States, state, id)
	if !ok {
		return
	}
	if by := at.Sub(now); by > FutureSlack {
		t.Future.see(id)
		t.FutureBy = max(t.FutureBy, by)
	}
	if !i.Modified.IsZero() && recordDir(t.o.Options) != "" {
		t.Modified = append(t.Modified, Moment{Store: i.Modified, Writer: at})
	}
}

// values counts what is in a session.
func (t *taker) values(id string, session *pyvalue.Dict, d *inspect.Decoded) {
	unable := map[string]bool{}
	kinds := map[lossKind]bool{}
	for _, l := range convert.Losses(session) {
		if isBeakers(l.Key) { // Python 2 has bytes in _path: nothing that an application could change
			continue
		}
		kinds[t.count.lossKind(l)] = true
		if l.Becomes == "" {
			unable[l.Type] = true
		}
	}
	for k := range kinds {
		t.count.losses[k].see(id)
	}
	own, classes := false, map[*Class]bool{}
	for _, name := range d.ClassNames() {
		c := t.count.class(name)
		c.JSON = c.JSON && !unable[name] && !unable["global "+name]
		classes[c] = true
		own = own || !isHonest(name)
	}
	for c := range classes {
		c.see(id)
	}
	if own {
		t.PickleClass.see(id)
	}
	if d.Form.Serializer == beakerfmt.Pickle && convert.Loadable(session, 3) != nil {
		t.NotPython3.see(id)
	}
	n := t.asCookie(session)
	t.Cookie = max(t.Cookie, n)
	if n > beakerfmt.MaxCookiePayload {
		t.Oversized.see(id)
	}
}

// asCookie is how long the session would be as the payload of a cookie under the same
// options, without encryption, which adds little; 0 if it cannot be one.
func (t *taker) asCookie(session *pyvalue.Dict) int64 {
	f := beakerfmt.Form{Text: beakerfmt.TextStr, Protocol: 2}
	if t.o.Options.DataSerializer == "json" {
		f.Serializer, f.Protocol = beakerfmt.JSON, 0
	}
	var plain beakerfmt.Codec
	v, err := plain.EncodeValue(session, f)
	if err != nil {
		return 0
	}
	text, _ := pyvalue.Text(v)
	n := int64(len(text))
	if t.o.Options.EncryptKey != "" { // encrypted, in base64 once more, behind a nonce
		n = n*4/3 + 48
	}
	return n
}

// isBeakers reports whether a key of a session is Beaker's own (session.py).
func isBeakers(key string) bool {
	switch key {
	case "_accessed_time", "_creation_time", "_id", "_domain", "_path":
		return true
	}
	return false
}

// nameLike is a key that a program has, rather than data.
var nameLike = regexp.MustCompile(`^[A-Za-z_][A-Za-z_.:-]{0,39}$`)

// lossKind is what a loss is counted as; it is among c.losses.
func (c *counter) lossKind(l convert.Loss) lossKind {
	if c.losses == nil {
		c.losses = map[lossKind]*Loss{}
	}
	k := lossKind{l.Key, clipName(l.Type), l.Becomes}
	if !nameLike.MatchString(k.key) {
		k.key = otherKeys
	}
	if c.losses[k] == nil && len(c.losses) >= mostNames {
		k = lossKind{otherKeys, others, l.Becomes}
	}
	if c.losses[k] == nil {
		c.losses[k] = &Loss{Key: k.key, Type: k.kind, Becomes: k.becomes}
	}
	return k
}

// class is what a class or function of that name is counted as.
func (c *counter) class(name string) *Class {
	if c.classes == nil {
		c.classes = map[string]*Class{}
	}
	honest, suspicious := isHonest(name), isSuspicious(name)
	name = clipName(name)
	if c.classes[name] == nil && len(c.classes) >= mostNames && !suspicious {
		name, honest = others, false
	}
	n := c.classes[name]
	if n == nil {
		n = &Class{Name: name, Known: honest, Suspicious: suspicious, JSON: true}
		c.classes[name] = n
	}
	return n
}

// clipName bounds the name of a class, which comes from the pickle.
func clipName(name string) string {
	const most = 120
	if r := []rune(name); len(r) > most {
		return string(r[:most]) + "…"
	}
	return name
}

func (c *counter) classesInOrder() []Class {
	return inOrder(c.classes, func(c *Class) (int64, string) { return c.Sessions, c.Name })
}

func (c *counter) lossesInOrder() []Loss {
	return inOrder(c.losses, func(l *Loss) (int64, string) { return l.Sessions, l.Key + " " + l.Type + " " + l.Becomes })
}

func (c *counter) formsInOrder() []FormCount {
	return inOrder(c.forms, func(f *FormCount) (int64, string) { return f.Sessions, inspect.Kind(f.Form) })
}

// inOrder lists what was counted, the most frequent first.
func inOrder[K comparable, T any](of map[K]*T, by func(*T) (int64, string)) []T {
	out := []T{}
	for _, p := range slices.SortedFunc(maps.Values(of), func(a, b *T) int {
		n, name := by(a)
		m, other := by(b)
		return cmp.Or(cmp.Compare(m, n), cmp.Compare(name, other))
	}) {
		out = append(out, *p)
	}
	return out
}
