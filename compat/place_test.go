package compat_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
)

// browser keeps cookies as browsers do: by name, domain and path.
type browser struct {
	*site
	jar *cookiejar.Jar
	at  *url.URL
}

func newBrowser(t *testing.T, change ...func(*compat.Options)) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	at, err := url.Parse("http://www.example.org/app/page")
	require.NoError(t, err)
	return &browser{newSite(t, change...), jar, at}
}

// visit is a request with all the cookies that belong there.
func (b *browser) visit(f func(*compat.Session)) {
	b.t.Helper()
	var header []string
	for _, c := range b.jar.Cookies(b.at) {
		header = append(header, c.Name+"="+c.Value)
	}
	o := b.manager.Open(strings.Join(header, "; "))
	x, err := o.Session(ctx())
	require.NoError(b.t, err)
	f(x)
	require.NoError(b.t, o.Persist(ctx()))
	if text, ok := o.SetCookie(); ok {
		answer := http.Response{Header: http.Header{"Set-Cookie": {strings.TrimSpace(text)}}}
		b.jar.SetCookies(b.at, answer.Cookies())
	}
}

// Who logs out is logged out, wherever the cookie is and whatever was done to the
// session before.
func TestLogoutFromAnyPlace(t *testing.T) {
	invalidate := func(x *compat.Session) { _ = x.Invalidate() }
	path := func(to string) func(*compat.Session) { return func(x *compat.Session) { _ = x.SetPath(to) } }
	domain := func(to string) func(*compat.Session) { return func(x *compat.Session) { _ = x.SetDomain(to) } }
	reload := func(x *compat.Session) { _ = x.Reload(ctx()) }
	persist := func(x *compat.Session) { _ = x.Persist(ctx()) }
	save, clear, remove := (*compat.Session).Save, (*compat.Session).Clear, (*compat.Session).Delete
	first := map[string][]func(*compat.Session){
		"path":            {path("/app")},
		"domain":          {domain(".example.org")},
		"path and domain": {path("/app"), domain(".example.org")},
		"as configured":   {},
	}
	then := map[string][]func(*compat.Session){
		"delete":                         {remove},
		"clear, delete":                  {clear, remove},
		"invalidate, delete":             {invalidate, remove},
		"delete, invalidate":             {remove, invalidate},
		"path, delete":                   {path("/"), remove},
		"other path, delete":             {path("/other"), remove},
		"domain, delete":                 {domain("www.example.org"), remove},
		"no domain, delete":              {domain(""), remove},
		"move, persist, reload, delete":  {path("/other"), save, persist, reload, remove},
		"delete twice":                   {remove, path("/"), remove},
		"invalidate":                     {invalidate},
		"invalidate, save":               {invalidate, save},
		"clear, save":                    {clear, save},
		"clear, invalidate, clear, save": {clear, invalidate, clear, save},
	}
	for place, move := range first {
		for name, end := range then {
			t.Run(place+"/"+name, func(t *testing.T) {
				b := newBrowser(t, cookieOnly)
				user := func(x *compat.Session) string {
					v, _ := compat.Get[string](x, "user")
					return v
				}
				login := func(x *compat.Session) {
					for _, f := range move {
						f(x)
					}
					require.NoError(t, x.Set("user", "eve"))
					x.Save()
				}
				b.visit(login)
				b.visit(func(x *compat.Session) { require.Equal(t, "eve", user(x)) })
				b.visit(func(x *compat.Session) {
					for _, f := range end {
						f(x)
					}
				})
				b.visit(func(x *compat.Session) { require.Empty(t, user(x)) })

				// The session that took its place is at the same one, and can be ended, too.
				b.visit(func(x *compat.Session) { require.NoError(t, x.Set("user", "bob")); x.Save() })
				b.visit(func(x *compat.Session) { require.Equal(t, "bob", user(x)); x.Clear(); x.Delete() })
				b.visit(func(x *compat.Session) { require.Empty(t, user(x)) })
				require.Empty(t, b.jar.Cookies(b.at))
			})
		}
	}
}
