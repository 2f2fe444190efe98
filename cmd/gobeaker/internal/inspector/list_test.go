package inspector_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspector"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

func TestSearch(t *testing.T) {
	s := memory(t, nil)
	ann := s.add(time.Minute, entry("user", pyvalue.Str("Ann Özil")), entry("id", pyvalue.NewInt(42)), entry("password", pyvalue.Str(hunter2)))
	bob := s.add(2*time.Hour, entry("user", pyvalue.Str("Bob")), entry("cart", pyvalue.NewList(pyvalue.NewDict(entry("sku", pyvalue.Bytes("A-17"))))))
	bad := s.put(pyvalue.Str("corrupt"))
	b := s.browser()
	for _, c := range []struct {
		text, state string
		want        []string
	}{
		{"", "", []string{ann, bob, bad}},
		{"", "live", []string{ann}},
		{"", "expired", []string{bob}},
		{"", "unreadable", []string{bad}},
		{"", "encrypted", nil},
		{ann[:6], "", []string{ann}},
		{strings.ToUpper(ann), "", []string{ann}},
		{ann, "expired", nil},
		{"user", "", []string{ann, bob}},
		{"USER", "live", []string{ann}},
		{"use", "", nil},
		{"us*", "", []string{ann, bob}},
		{"user=ann özil", "", []string{ann}},
		{"user = *ÖZ*", "", []string{ann}},
		{"id=42", "", []string{ann}},
		{"id=4", "", nil},
		{"sku", "", []string{bob}},
		{"sku=a-17", "", []string{bob}},
		{"cart=*", "", nil}, // it has parts, and no value of its own
		{"password", "", []string{ann}},
		{"pass*=*", "", nil},
		{"*=*hunter2*", "", nil},
		{"*=" + hunter2, "", nil},
		{"_accessed_time", "", []string{ann, bob}},
	} {
		p := b.submit(b.get("sessions"), "sessions", "q", c.text, "state", c.state)
		require.Equal(t, http.StatusOK, p.StatusCode, c)
		require.ElementsMatch(t, c.want, p.rows(), "%q %s", c.text, c.state)
		if len(c.text) > 3 {
			require.NotContains(t, strings.ToLower(p.Request.URL.String()), strings.ToLower(c.text), "an address tells nothing")
			require.NotContains(t, s.log.String(), "q="+c.text)
		}
	}
	for text, want := range map[string]string{
		"password=x":               "masked, and cannot be searched",
		"=x":                       "the name of a key",
		strings.Repeat("x y", 200): "too long",
	} {
		p := b.submit(b.get("sessions"), "sessions", "q", text)
		require.Equal(t, http.StatusUnprocessableEntity, p.StatusCode)
		require.Contains(t, p.text, want)
	}
}

// Who pastes an id or a cookie where something else belongs does not find it in the page.
func TestSearchByID(t *testing.T) {
	s := memory(t, nil)
	hash := s.add(time.Minute)
	b := s.browser()
	p := b.submit(b.get("sessions"), "sessions", "q", " "+s.ids[0]+" ")
	require.Equal(t, "/inspector/session/"+hash, p.Request.URL.Path)
	for _, text := range []string{strings.Repeat("f", 32), signed(s.ids[0]), strings.Repeat("x", 5000)} {
		p = b.submit(b.get("sessions"), "sessions", "q", text)
		require.Contains(t, p.text, "looks like the id of a session or like a cookie")
		require.NotContains(t, p.body, text)
	}
}

// odd is a store whose cursors lead where they like, as far as stores.Lister allows.
type odd struct {
	*memstore.Store
	cursor func(ids []string, i int) string // after ids[i]
	resume func(ids []string, from string) int
}

func (o odd) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		var ids []string
		for info := range o.Store.List(ctx, "") {
			ids = append(ids, info.ID)
		}
		begin := 0
		if from != "" {
			begin = o.resume(ids, from)
		}
		for i := begin; i < len(ids); i++ {
			if !yield(stores.Info{ID: ids[i], Cursor: o.cursor(ids, i)}, nil) {
				return
			}
		}
	}
}

func TestPages(t *testing.T) {
	number := func(_ []string, from string) int {
		var n int
		_, _ = fmt.Sscan(from, &n)
		return n
	}
	for name, o := range map[string]odd{
		"exact":        {cursor: func(_ []string, i int) string { return fmt.Sprint(i + 1) }, resume: number},
		"none":         {cursor: func([]string, int) string { return "" }},
		"a directory":  {cursor: func(_ []string, i int) string { return fmt.Sprint(i/7*7 + 1) }, resume: func(i []string, from string) int { return number(i, from) - 1 }},
		"an answer":    {cursor: func(_ []string, i int) string { return fmt.Sprint((i + 1) / 30 * 30) }, resume: number},
		"one too many": {cursor: func(_ []string, i int) string { return fmt.Sprint(i + 1) }, resume: func(i []string, from string) int { return number(i, from) - 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			o.Store = &memstore.Store{}
			s := newSite(t, options(), o, nil)
			var want, got []string
			for range 173 {
				want = append(want, s.add(time.Minute))
			}
			b := s.browser()
			p := b.get("sessions")
			for p.link("Next page") != "" {
				got = append(got, p.rows()...)
				require.LessOrEqual(t, len(got), len(want))
				require.Contains(t, p.text, fmt.Sprintf("looked at %d of 173", len(got)))
				p = b.get(p.link("Next page"))
			}
			got = append(got, p.rows()...)
			require.Equal(t, want, got)
			require.Contains(t, p.text, "all 173 were looked at")
			require.Equal(t, want[:50], b.get(p.link("First page")).rows())
		})
	}
}

// The record where a page ended may be gone when the next one begins.
func TestPagesWhileSessionsGo(t *testing.T) {
	s := memory(t, nil)
	var want []string
	for range 60 {
		want = append(want, s.add(time.Minute))
	}
	b := s.browser()
	p := b.get("sessions")
	require.NoError(t, s.store.Delete(context.Background(), s.ids[49]))
	require.Equal(t, want[50:], b.get(p.link("Next page")).rows())
}

// slow is a store with very many sessions, each of which takes a while.
type slow struct {
	stores.Store
	n, looked int
	id        string // of the last one
	each      func()
}

func (s *slow) List(ctx context.Context, from string) iter.Seq2[stores.Info, error] {
	return func(yield func(stores.Info, error) bool) {
		begin := 0
		_, _ = fmt.Sscan(from, &begin)
		for i := begin; i < s.n; i++ {
			id := fmt.Sprintf("%032x", i)
			if i == s.n-1 {
				id = s.id
			}
			if !yield(stores.Info{ID: id, Cursor: fmt.Sprint(i + 1)}, nil) {
				return
			}
		}
	}
}

func (s *slow) Look(_ context.Context, id string) (pyvalue.Value, error) {
	s.looked++
	s.each()
	return pyvalue.NewDict(entry("_creation_time", pyvalue.Float(1)), entry("last", pyvalue.Bool(id == s.id))), nil
}

func TestManySessions(t *testing.T) {
	big := &slow{Store: &memstore.Store{}, n: 100_000, id: strings.Repeat("e", 32)}
	s := newSite(t, options(), big, nil)
	b := s.browser()
	big.each = func() {}
	p := b.submit(b.get("sessions"), "sessions", "q", "last=true")
	require.Equal(t, 5050, big.looked, "one page of the list, and then the first step")
	require.Contains(t, p.text, "looked at 5,000 of 100,000")
	require.Contains(t, p.text, "None so far.")
	for p.link("Look further") != "" {
		p = b.get(p.link("Look further"))
	}
	require.Equal(t, []string{beakerfmt.HashID(big.id)}, p.rows())

	// A hash needs no record but its own.
	big.looked = 0
	p = newSite(t, options(), big, nil).browser().get("session/" + beakerfmt.HashID(big.id))
	require.Equal(t, http.StatusOK, p.StatusCode)
	require.LessOrEqual(t, big.looked, 2)

	// Nobody waits for a store that takes its time.
	big.looked = 0
	big.each = func() { s.clock.advance(time.Second) }
	p = b.submit(b.get("sessions"), "sessions", "q", "last=true")
	require.Less(t, big.looked, 20)
	require.NotEmpty(t, p.link("Look further"))
}

func TestOldLinks(t *testing.T) {
	guard := inspector.NewGuard(nil)
	with := func(g *inspector.Guard) *browser {
		s := memory(t, func(o *inspector.Options) { o.Guard = g })
		for range 51 {
			s.add(time.Minute)
		}
		return s.browser()
	}
	first := with(guard)
	_, sealed, _ := strings.Cut(first.get("sessions").link("Next page"), "?")
	require.NotEmpty(t, sealed)
	require.Len(t, with(guard).get("sessions?"+sealed).rows(), 1, "a reload keeps the guard, and so the links")
	p := with(nil).get("sessions?" + sealed)
	require.Contains(t, p.text, "before the server was started anew")
	require.Len(t, p.rows(), 50, "and here is the first page")
	for _, bad := range []string{"v=", "v=x", "v=" + sealed[3:] + "A"} {
		require.Equal(t, http.StatusOK, first.get("sessions?"+bad).StatusCode)
	}
}
