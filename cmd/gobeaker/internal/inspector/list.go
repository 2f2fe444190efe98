package inspector

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/stores"
)

// listLink is what a link to a page of the list remembers, sealed.
type listLink struct {
	Query  query    `json:"q,omitzero"`
	At     position `json:"at,omitzero"`
	Notice string   `json:"m,omitempty"` // what was done before
}

// listData is what a page of the list shows.
type listData struct {
	Query       query
	States      []string
	Rows        []row
	From        int    // records before this page
	Looked      int    // records on this page and before
	Of          string // how many there are, "" if that is not known
	Whole       bool   // nothing is left out
	Next, First string // links; "" if there is nothing
	CanList     bool
	Store       bool
	Modified    bool // the store tells when records were modified
}

type row struct {
	Hash, Is, Kind, Writer string
	Size                   int64
	Accessed, Modified     time.Time
}

func (i *inspector) list(w http.ResponseWriter, r *http.Request, v visitor) {
	var link listLink
	wrong := ""
	if text := r.URL.Query().Get("v"); text != "" && !i.Guard.open("list", text, &link) {
		wrong = "That link is from before the server was started anew. This is the first page."
	}
	i.listPage(w, r, v, link, wrong)
}

func (i *inspector) listPage(w http.ResponseWriter, r *http.Request, v visitor, link listLink, wrong string) {
	status := http.StatusOK
	_, can := stores.As[stores.Lister](i.Store)
	d := listData{Query: link.Query, States: records.States(), CanList: can, Store: i.Store != nil, From: link.At.Looked}
	m, problem := i.matcher(link.Query)
	action := "list"
	if link.Query != (query{}) {
		action = "search"
	}
	if can && problem == "" {
		ctx, stop := i.context(r)
		defer stop()
		if err := i.fill(ctx, &d, &m, link); err != nil {
			i.audit(r, v, action, "", i.storeProblem(w, r, v, err), "error", err)
			return
		}
		i.audit(r, v, action, "", ok, "shown", len(d.Rows), "looked", d.Looked-d.From)
	}
	if problem != "" {
		wrong, status = problem, http.StatusUnprocessableEntity
		i.audit(r, v, action, "", refused)
	}
	out := i.view(v, "list", "Sessions")
	out.Data, out.Error, out.Notice = d, wrong, link.Notice
	i.show(w, r, status, out)
}

// fill looks for the sessions of a page.
func (i *inspector) fill(ctx context.Context, d *listData, m *matcher, link listLink) error {
	found, err := i.scan(ctx, m, link.At, pageRows)
	if err != nil {
		return err
	}
	for k := range found.records {
		d.Rows = append(d.Rows, i.row(&found.records[k]))
		d.Modified = d.Modified || !found.records[k].Modified.IsZero()
	}
	d.Looked, d.Whole = found.at.Looked, !found.more
	if !found.more {
		d.Of = number(found.at.Looked)
	} else if n, more, known := i.count(ctx); known && n > found.at.Looked {
		if d.Of = number(n); more {
			d.Of = "more than " + d.Of
		}
	}
	if found.more {
		if d.Next, err = i.listURL(listLink{Query: link.Query, At: found.at}); err != nil {
			return err
		}
	}
	if link.At != (position{}) {
		d.First, err = i.listURL(listLink{Query: link.Query})
	}
	return err
}

func (i *inspector) listURL(link listLink) (string, error) {
	if link == (listLink{}) {
		return i.base + "sessions", nil
	}
	sealed, err := i.Guard.seal("list", link)
	return i.base + "sessions?v=" + sealed, err
}

func (i *inspector) row(r *records.Record) row {
	out := row{Hash: r.Hash(), Is: r.Is, Kind: r.Kind(), Size: r.Size, Accessed: r.Accessed, Modified: r.Modified}
	if r.Value == nil || r.Err != nil || r.Is == records.Empty {
		return out
	}
	if d, err := inspect.Stored(r.Value, i.codec); err == nil {
		out.Writer = d.Writer(inspect.InFile).String()
	}
	return out
}

// search takes what is looked for out of the form, and leads to a page whose address does
// not tell it. The id of a session leads to that.
func (i *inspector) search(w http.ResponseWriter, r *http.Request, v visitor) {
	if !i.form(w, r, v, "search") {
		return
	}
	q := query{Text: strings.TrimSpace(r.PostForm.Get("q")), State: r.PostForm.Get("state")}
	if !slices.Contains(records.States(), q.State) {
		q.State = ""
	}
	if looksSecret(q.Text) {
		i.searchID(w, r, v, q.Text)
		return
	}
	if _, problem := i.matcher(q); problem != "" {
		i.listPage(w, r, v, listLink{Query: q}, "")
		return
	}
	to, err := i.listURL(listLink{Query: q})
	if err != nil {
		i.storeProblem(w, r, v, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// looksSecret reports whether a text may be the id of a session (32 hexadecimal digits,
// or 27 of other alphabets) or a cookie. Such a text is not sent back.
func looksSecret(text string) bool {
	const least = 24
	return len(text) >= least && !strings.ContainsAny(text[:least], " =*@.,;:/")
}

func (i *inspector) searchID(w http.ResponseWriter, r *http.Request, v visitor, text string) {
	ctx, stop := i.context(r)
	defer stop()
	var err error
	if i.Store != nil && i.Manager.Options().IDs.Valid(text) {
		var found records.Record
		var there bool
		found, there, err = i.look(ctx, text)
		if there && !errors.Is(found.Err, stores.ErrInvalidID) {
			hash := beakerfmt.HashID(text)
			i.known.Add(hash, text)
			i.audit(r, v, "search", hash, ok)
			http.Redirect(w, r, i.base+"session/"+hash, http.StatusSeeOther)
			return
		}
	}
	if err != nil {
		i.audit(r, v, "search", "", i.storeProblem(w, r, v, err), "error", err)
		return
	}
	i.audit(r, v, "search", "", notFound)
	i.listPage(w, r, v, listLink{}, "That looks like the id of a session or like a cookie, and no session in the store has such an id. It is not repeated here. A cookie can be decoded.")
}
