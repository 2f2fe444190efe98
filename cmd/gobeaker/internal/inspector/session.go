package inspector

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/survey"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// sessionData is what the page of a session shows.
type sessionData struct {
	Hash, Is    string
	Unreadable  string // why it cannot be read
	Foreign     bool   // the record is of something else
	Facts       []fact
	Notes       []string
	Tree        *tree.Node
	Masked      int
	Revealed    bool
	ReadOnly    bool
	RevealForm  string // tokens
	InvalidForm string
}

const (
	treeNodes = 5000
	treeText  = 400 // characters of a value
)

// look reads a record, and reports whether there is one. What is there need not be a
// session: then it is empty, and to a Get of the store there is none.
func (i *inspector) look(ctx context.Context, id string) (r records.Record, there bool, err error) {
	r, err = records.Look(ctx, i.Store, i.Manager, stores.Info{ID: id})
	if err != nil || r.Value != nil || r.Err != nil {
		return r, err == nil, err
	}
	if v, ok := stores.As[stores.Versioner](i.Store); ok {
		_, err = v.Version(ctx, id)
		there = err == nil
		if errors.Is(err, stores.ErrNotExist) {
			err = nil
		}
	}
	return r, there, err
}

// found is the session that an address names.
type found struct {
	id, hash string
	record   records.Record
}

// resolve finds the session of the address, or answers that there is none.
func (i *inspector) resolve(w http.ResponseWriter, r *http.Request, v visitor, action string) (f found, ok bool) {
	f.hash = strings.ToLower(r.PathValue("hash"))
	gone := func(what string) {
		i.audit(r, v, action, f.hash, notFound)
		i.problem(w, r, v, http.StatusNotFound, "There is no such session", what)
	}
	switch {
	case i.Store == nil:
		f.hash = ""
		gone("The sessions are in the cookies of the browsers: there is no list of them. One can be decoded from its cookie.")
		return f, false
	case len(f.hash) != len(beakerfmt.HashID("")) || !isHash(f.hash):
		f.hash = ""
		gone("A session is named by 12 hexadecimal digits, as logs name it.")
		return f, false
	}
	ctx, stop := i.context(r)
	defer stop()
	id, up, err := i.find(ctx, f.hash)
	there := false
	if err == nil && id != "" {
		f.id = id
		f.record, there, err = i.look(ctx, id)
	}
	switch {
	case err == errNoList:
		gone("This kind of store has no list of its sessions. Paste the cookie or the id of the session: then it is known here.")
	case err != nil:
		i.audit(r, v, action, f.hash, i.storeProblem(w, r, v, err), "error", err)
	case id == "" && up.more:
		i.lookFurther(w, r, v, f.hash, up)
	case !there:
		gone("It has gone, or it never was in this store.")
	default:
		return f, true
	}
	return f, false
}

// lookFurther answers that the session is not among those that were looked at in time.
func (i *inspector) lookFurther(w http.ResponseWriter, r *http.Request, v visitor, hash string, up scanned) {
	i.audit(r, v, "search", hash, notFound, "looked", up.at.Looked)
	to, err := i.listURL(listLink{Query: query{Text: hash}, At: up.at})
	if err != nil {
		i.storeProblem(w, r, v, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (i *inspector) session(w http.ResponseWriter, r *http.Request, v visitor) {
	f, there := i.resolve(w, r, v, "view")
	if !there {
		return
	}
	i.audit(r, v, "view", f.hash, ok)
	i.sessionPage(w, r, v, f, false)
}

func (i *inspector) reveal(w http.ResponseWriter, r *http.Request, v visitor) {
	f, there := i.resolve(w, r, v, "reveal")
	if !there || !i.form(w, r, v, "reveal "+f.id) {
		return
	}
	i.audit(r, v, "reveal", f.hash, ok)
	i.sessionPage(w, r, v, f, true)
}

func (i *inspector) sessionPage(w http.ResponseWriter, r *http.Request, v visitor, f found, reveal bool) {
	out := i.view(v, "session", "Session "+f.hash)
	d := sessionData{
		Hash: f.hash, Is: f.record.Is, Revealed: reveal, ReadOnly: i.ReadOnly,
		RevealForm: out.Form("reveal " + f.id),
		Foreign:    f.record.Value == nil && f.record.Err == nil,
	}
	if f.record.Err != nil {
		d.Unreadable = why(f.record.Err)
	}
	i.describe(&d, &f.record)
	out.Data = d
	i.show(w, r, http.StatusOK, out)
}

// why says what is the matter with a record. What a store says of itself may have its
// address in it.
func why(err error) string {
	if errors.Is(err, stores.ErrUnavailable) {
		return "the store refuses access to it"
	}
	return err.Error()
}

// describe fills in what is known of a record.
func (i *inspector) describe(d *sessionData, r *records.Record) {
	d.Facts = append(d.Facts, fact{Name: "State", Text: r.Is, Badge: r.Is})
	if !r.Accessed.IsZero() {
		d.Facts = append(d.Facts, fact{Name: "Last used", Time: r.Accessed})
	}
	if !r.Created.IsZero() {
		d.Facts = append(d.Facts, fact{Name: "Created", Time: r.Created})
	}
	if t := i.Manager.Options().Timeout; t != compat.NoTimeout && !r.Accessed.IsZero() && r.Is == records.Live {
		if left := r.Accessed.Add(t).Sub(i.Now()); left > 0 {
			d.Facts = append(d.Facts, fact{Name: "Times out", Text: "in " + span(left.Truncate(1e9)) + " unless it is used"})
		}
	}
	if r.Value == nil || r.Is == records.Empty {
		return
	}
	decoded, err := inspect.Stored(r.Value, i.codec)
	if err != nil {
		return
	}
	d.Facts = append(d.Facts, decodedFacts(&decoded, decoded.StoredText(), inspect.InFile)...)
	d.Notes = decoded.Warnings(inspect.InFile, i.rules())
	node := i.tree(&decoded, d.Revealed)
	d.Tree, d.Masked = &node, masked(&node)
}

func (i *inspector) rules() inspect.Rules {
	return inspect.Rules{HasEncryptKey: len(i.keys.Encrypt) > 0, Timeout: i.Manager.Options().Timeout, Now: i.Now()}
}

func decodedFacts(d *inspect.Decoded, form string, where inspect.Where) []fact {
	facts := []fact{{Name: "Form", Text: form}}
	if e := d.Encryption(); e != "" {
		facts = append(facts, fact{Name: "Encrypted", Text: e})
	}
	if d.Text > 0 {
		facts = append(facts, fact{Name: "Size", Text: survey.Bytes(int64(d.Text))})
	}
	writer := d.Writer(where)
	facts = append(facts, fact{Name: "Written by", Text: "probably " + writer.String()})
	if len(writer.Evidence) > 0 {
		facts = append(facts, fact{Name: "Because of", Text: strings.Join(writer.Evidence, "; ")})
	}
	if names := d.ClassNames(); len(names) > 0 {
		facts = append(facts, fact{Name: "Classes", Code: strings.Join(names, ", ")})
	}
	return facts
}

func (i *inspector) tree(d *inspect.Decoded, reveal bool) tree.Node {
	o := tree.Options{MaxNodes: treeNodes, MaxText: treeText}
	if !reveal {
		o.Hide = i.hide
	}
	return tree.New(d.Session, o)
}

// masked counts the values that are hidden.
func masked(n *tree.Node) int {
	count := 0
	if n.Hidden {
		count++
	}
	for k := range n.Children {
		count += masked(&n.Children[k])
	}
	return count
}

// confirm asks before a session is invalidated.
func (i *inspector) confirm(w http.ResponseWriter, r *http.Request, v visitor) {
	if !i.mayChange(w, r, v) {
		return
	}
	f, there := i.resolve(w, r, v, "confirm")
	if !there {
		return
	}
	i.audit(r, v, "confirm", f.hash, ok)
	out := i.view(v, "confirm", "Invalidate session "+f.hash+"?")
	d := sessionData{Hash: f.hash, Is: f.record.Is, InvalidForm: out.Form("invalidate " + f.id)}
	if !f.record.Accessed.IsZero() {
		d.Facts = append(d.Facts, fact{Name: "Last used", Time: f.record.Accessed})
	}
	out.Data = d
	i.show(w, r, http.StatusOK, out)
}

func (i *inspector) mayChange(w http.ResponseWriter, r *http.Request, v visitor) bool {
	if !i.ReadOnly {
		return true
	}
	i.audit(r, v, "invalidate", "", refused, "why", "read only")
	i.problem(w, r, v, http.StatusForbidden, "Nothing can be changed here", "The inspector is read-only: read_only in [admin].")
	return false
}

// invalidate removes the session that was confirmed.
func (i *inspector) invalidate(w http.ResponseWriter, r *http.Request, v visitor) {
	if !i.mayChange(w, r, v) {
		return
	}
	f, there := i.resolve(w, r, v, "invalidate")
	if !there || !i.form(w, r, v, "invalidate "+f.id) {
		return
	}
	ctx, stop := i.context(r)
	defer stop()
	if err := i.Store.Delete(ctx, f.id); err != nil {
		i.audit(r, v, "invalidate", f.hash, i.storeProblem(w, r, v, err), "error", err)
		return
	}
	i.Manager.Forget(f.id)
	i.known.Remove(f.hash)
	i.audit(r, v, "invalidate", f.hash, ok)
	to, err := i.listURL(listLink{Notice: "Session " + f.hash + " is invalidated."})
	if err != nil {
		to = i.base + "sessions"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
