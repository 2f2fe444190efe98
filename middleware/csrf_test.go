package middleware_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// newSession returns a new session with these keys and values.
func newSession(t testing.TB, values map[string]any) *compat.Session {
	t.Helper()
	s, err := newManager(t, memstore.New()).Open("").Session(context.Background())
	require.NoError(t, err)
	for k, v := range values {
		require.NoError(t, s.Set(k, v))
	}
	return s
}

func TestTokenIsMadeAsTheFrameworkMakesIt(t *testing.T) {
	oldPyramid := middleware.PyramidCSRF()
	oldPyramid.Type = middleware.TokenBytes
	for name, tc := range map[string]struct {
		csrf *middleware.CSRF
		key  string
		form string
		kind pyvalue.Value
	}{
		"webhelpers":         {middleware.WebHelpersCSRF(), "_authentication_token", `^[1-9][0-9]{30,38}$`, pyvalue.Py2Str("")},
		"pyramid":            {middleware.PyramidCSRF(), "_csrft_", `^[0-9a-f]{40}$`, pyvalue.Str("")},
		"pyramid_beaker 0.7": {oldPyramid, "_csrft_", `^[0-9a-f]{40}$`, pyvalue.Bytes("")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, nil)
			token, err := tc.csrf.Token(s)
			require.NoError(t, err)
			require.Regexp(t, tc.form, token)
			require.True(t, s.Dirty(), "it is saved")
			stored, ok := s.Get(tc.key)
			require.True(t, ok)
			require.IsType(t, tc.kind, stored)
			again, err := tc.csrf.Token(s)
			require.NoError(t, err)
			require.Equal(t, token, again)
			renewed, err := tc.csrf.Renew(s)
			require.NoError(t, err)
			require.NotEqual(t, token, renewed)
			again, err = tc.csrf.Token(s)
			require.NoError(t, err)
			require.Equal(t, renewed, again)
		})
	}
}

func TestTokenKeepsWhatIsThere(t *testing.T) {
	for _, v := range []pyvalue.Value{pyvalue.Str("abc"), pyvalue.Py2Str("abc"), pyvalue.Bytes("abc")} {
		s := newSession(t, map[string]any{"_csrft_": v})
		token, err := middleware.PyramidCSRF().Token(s)
		require.NoError(t, err)
		require.Equal(t, "abc", token)
		require.False(t, s.Dirty())
		kept, _ := s.Get("_csrft_")
		require.Equal(t, v, kept)
	}
	for _, v := range []pyvalue.Value{pyvalue.None{}, pyvalue.Str("")} {
		token, err := middleware.PyramidCSRF().Token(newSession(t, map[string]any{"_csrft_": v}))
		require.NoError(t, err)
		require.Len(t, token, 40, "as good as none")
	}
}

func TestTokenOfAnotherType(t *testing.T) {
	for _, v := range []pyvalue.Value{
		pyvalue.NewList(pyvalue.Str("abc")), pyvalue.NewInt(7), pyvalue.Bool(true), pyvalue.Bytes("\xff"),
		&pyvalue.Object{Class: &pyvalue.Global{Module: "m", Name: "C"}, Args: pyvalue.NewTuple(pyvalue.Str("abc"))},
	} {
		s := newSession(t, map[string]any{"_csrft_": v})
		_, err := middleware.PyramidCSRF().Token(s)
		require.ErrorIs(t, err, middleware.ErrUnexpectedValue)
		kept, _ := s.Get("_csrft_")
		require.Equal(t, v, kept)
		err = middleware.PyramidCSRF().Check(httptest.NewRequest("POST", "/", nil), s)
		require.ErrorIs(t, err, middleware.ErrCSRFToken)
		require.ErrorIs(t, err, middleware.ErrUnexpectedValue)
	}
}

const secretToken = "313514387764277725466864420256917217459"

// The bodies of forms, with their content types.
func urlencodedForm(pairs ...string) (contentType, body string) {
	var b []string
	for i := 0; i < len(pairs); i += 2 {
		b = append(b, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return "application/x-www-form-urlencoded", strings.Join(b, "&")
}

func multipartForm(pairs ...string) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		if name, file := strings.CutPrefix(pairs[i], "file:"); file {
			part, _ := w.CreateFormFile(name, "name.txt")
			io.WriteString(part, pairs[i+1])
			continue
		}
		_ = w.WriteField(pairs[i], pairs[i+1])
	}
	w.Close()
	return w.FormDataContentType(), b.String()
}

func TestWhereTheTokenIsLookedFor(t *testing.T) {
	const good, bad = secretToken, "313514387764277725466864420256917217450"
	type form func(...string) (string, string)
	for _, tc := range []struct {
		name             string
		method           string
		query, header    string
		form             form
		fields           []string // NAME stands for the name of the framework's field
		pylons, pyramids bool
	}{
		{name: "form", method: "POST", form: urlencodedForm, fields: []string{"a", "b", "NAME", good}, pylons: true, pyramids: true},
		{name: "wrong in the form", method: "POST", form: urlencodedForm, fields: []string{"NAME", bad}},
		{name: "prefix in the form", method: "POST", form: urlencodedForm, fields: []string{"NAME", good[:20]}},
		{name: "empty in the form", method: "POST", form: urlencodedForm, fields: []string{"NAME", ""}},
		{name: "nowhere", method: "POST", form: urlencodedForm},
		{name: "no body", method: "POST"},
		{name: "twice, the last is right", method: "POST", form: urlencodedForm, fields: []string{"NAME", bad, "NAME", good}, pylons: true, pyramids: true},
		{name: "twice, the first is right", method: "POST", form: urlencodedForm, fields: []string{"NAME", good, "NAME", bad}},
		{name: "multipart", method: "POST", form: multipartForm, fields: []string{"file:f", "x", "NAME", good}, pylons: true, pyramids: true},
		{name: "multipart, twice", method: "POST", form: multipartForm, fields: []string{"NAME", good, "NAME", bad}},
		{name: "as a file", method: "POST", form: multipartForm, fields: []string{"file:NAME", good}},
		{name: "PUT", method: "PUT", form: urlencodedForm, fields: []string{"NAME", good}, pylons: true, pyramids: true},
		{name: "DELETE", method: "DELETE", form: urlencodedForm, fields: []string{"NAME", good}, pylons: true, pyramids: true},
		{name: "query", method: "POST", query: good, pylons: true},
		{name: "query wrong, form right", method: "POST", query: bad, form: urlencodedForm, fields: []string{"NAME", good}, pyramids: true},
		{name: "query right, form wrong", method: "POST", query: good, form: urlencodedForm, fields: []string{"NAME", bad}, pylons: true},
		{name: "header", method: "POST", header: good, pyramids: true},
		{name: "header right, form wrong", method: "POST", header: good, form: urlencodedForm, fields: []string{"NAME", bad}, pyramids: true},
		{name: "header wrong, form right", method: "POST", header: bad, form: urlencodedForm, fields: []string{"NAME", good}, pylons: true},
		{name: "GET with a form", method: "GET", form: urlencodedForm, fields: []string{"NAME", good}},
		{name: "GET with query", method: "GET", query: good, pylons: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range []struct {
				csrf *middleware.CSRF
				ok   bool
			}{{middleware.WebHelpersCSRF(), tc.pylons}, {middleware.PyramidCSRF(), tc.pyramids}} {
				var contentType, body string
				if tc.form != nil {
					fields := strings.Split(strings.ReplaceAll(strings.Join(tc.fields, "\x00"), "NAME", c.csrf.Field), "\x00")
					contentType, body = tc.form(fields[:len(fields)&^1]...)
				}
				target := "/"
				if tc.query != "" {
					target += "?" + c.csrf.Field + "=" + tc.query
				}
				r := httptest.NewRequest(tc.method, target, strings.NewReader(body))
				if contentType != "" {
					r.Header.Set("Content-Type", contentType)
				}
				if tc.header != "" {
					r.Header.Set("X-CSRF-Token", tc.header)
				}
				err := c.csrf.Check(r, newSession(t, map[string]any{c.csrf.Key: pyvalue.Bytes(good)}))
				if c.ok {
					require.NoError(t, err, c.csrf.Key)
				} else {
					require.ErrorIs(t, err, middleware.ErrCSRFToken, c.csrf.Key)
					require.NotContains(t, err.Error(), good[:8])
				}
				rest, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				require.Equal(t, body, string(rest), "the handler can read it all")
			}
		})
	}
}

func TestContentTypesOfForms(t *testing.T) {
	for contentType, ok := range map[string]bool{
		"":                                  true, // of a POST
		"application/x-www-form-urlencoded": true,
		"application/x-www-form-urlencoded; charset=UTF-8": true,
		"application/x-www-form-urlencoded; =":             true,
		"Application/X-WWW-Form-Urlencoded":                true,
		"application/json":                                 false,
		"text/plain":                                       false,
		"multipart/form-data":                              false, // without a boundary
		"multipart/form-data; boundary=":                   false,
		"multipart/mixed; boundary=x":                      false,
		";":                                                false,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("csrf_token=abc"))
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		err := middleware.PyramidCSRF().Check(r, newSession(t, map[string]any{"_csrft_": "abc"}))
		require.Equal(t, ok, err == nil, "%q: %v", contentType, err)
	}
	r := httptest.NewRequest("PUT", "/", strings.NewReader("csrf_token=abc"))
	err := middleware.PyramidCSRF().Check(r, newSession(t, map[string]any{"_csrft_": "abc"}))
	require.ErrorIs(t, err, middleware.ErrCSRFToken, "a PUT without a type is no form")
}

// More than net/http itself reads, in forms and in queries.
func TestFormOfManyFields(t *testing.T) {
	many := strings.Repeat("&a=b", 20_000)
	for _, csrf := range []*middleware.CSRF{middleware.WebHelpersCSRF(), middleware.PyramidCSRF()} {
		s := newSession(t, map[string]any{csrf.Key: "a b"})
		for form, ok := range map[string]bool{
			csrf.Field + "=a+b" + many:                                  true,
			many[1:] + "&" + csrf.Field + "=a%20b":                      true,
			csrf.Field + "=x" + many + "&" + csrf.Field + "=a+b" + many: true,
			csrf.Field + "=a+b" + many + "&" + csrf.Field + "=x" + many: false,
		} {
			r := httptest.NewRequest("POST", "/", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			require.Equal(t, ok, csrf.Check(r, s) == nil, csrf.Key)
			r = httptest.NewRequest("POST", "/?"+form, nil)
			require.Equal(t, ok && csrf.Query != "", csrf.Check(r, s) == nil, csrf.Key)
		}
	}
}

// The token is the one that url.ParseQuery finds, as long as that reads the form.
func FuzzFormToken(f *testing.F) {
	f.Add("csrf_token=abc&x=1")
	f.Add("csrf_token=x&&=&csrf%5Ftoken=a+%62c&csrf_token=1;2&csrf_token=%zz&csrf_token")
	f.Add("csrf_token=a=b&;&%zz=1")
	csrf := middleware.PyramidCSRF()
	f.Fuzz(func(t *testing.T, form string) {
		want := "abc"
		fields, _ := url.ParseQuery(form)
		tokens := fields[csrf.Field]
		found := len(tokens) > 0 && tokens[len(tokens)-1] != ""
		if found {
			want = tokens[len(tokens)-1]
		}
		if !utf8.ValidString(want) || strings.Count(form, "&") >= 10_000 {
			t.Skip("no token, or no form, to compare with")
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		err := csrf.Check(r, values{csrf.Key: pyvalue.Str(want)})
		if found {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "carries none")
		}
	})
}

func TestFormOfTooManyParts(t *testing.T) {
	for n, ok := range map[int]bool{999: true, 1000: false} {
		var fields []string
		for range n {
			fields = append(fields, "x", "y")
		}
		contentType, body := multipartForm(append(fields, "csrf_token", "abc")...)
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		err := middleware.PyramidCSRF().Check(r, newSession(t, map[string]any{"_csrft_": "abc"}))
		require.Equal(t, ok, err == nil, "%d: %v", n, err)
	}
}

func TestFormThatWasParsedBefore(t *testing.T) {
	for _, form := range []func(...string) (string, string){urlencodedForm, multipartForm} {
		contentType, body := form("x", "1", "csrf_token", "abc")
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		require.Equal(t, "1", r.FormValue("x"))
		require.NoError(t, middleware.PyramidCSRF().Check(r, newSession(t, map[string]any{"_csrft_": "abc"})))
	}
}

// brokenBody fails in the middle.
type brokenBody struct{ io.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errors.New("connection lost")
	}
	return n, err
}

func TestProtect(t *testing.T) {
	long := "csrf_token=abc&x=" + strings.Repeat("y", 100)
	for _, tc := range []struct {
		name   string
		rules  func() *middleware.CSRF
		method string
		body   io.Reader
		tls    bool
		status int
	}{
		{"safe", middleware.PyramidCSRF, "GET", nil, true, 200},
		{"right", middleware.PyramidCSRF, "POST", strings.NewReader("csrf_token=abc"), false, 200},
		{"wrong", middleware.PyramidCSRF, "POST", strings.NewReader("csrf_token=x"), false, 400},
		{"foreign", middleware.PyramidCSRF, "POST", strings.NewReader("csrf_token=abc"), true, 400},
		{"too long", middleware.PyramidCSRF, "POST", strings.NewReader(long), false, 413},
		{"too long, length unknown", middleware.PyramidCSRF, "POST", io.MultiReader(strings.NewReader(long)), false, 413},
		{"broken off", middleware.PyramidCSRF, "POST", brokenBody{strings.NewReader("csrf_token=abc")}, false, 400},
		{"pylons, right", middleware.WebHelpersCSRF, "POST", strings.NewReader("_authentication_token=abc"), false, 200},
		{"pylons, wrong", middleware.WebHelpersCSRF, "POST", strings.NewReader("_authentication_token=x"), false, 403},
		{"pylons has no safe methods", middleware.WebHelpersCSRF, "GET", nil, false, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			csrf := tc.rules()
			csrf.MaxBody = 64
			csrf.Logger = slog.New(slog.NewTextHandler(&log, nil))
			called := false
			protected := csrf.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				called = true
				if r.Method == "POST" {
					require.Equal(t, "abc", r.PostFormValue(csrf.Field))
				}
			}))
			// A handler outside of Protect that puts the token into the session.
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, err := middleware.Session(r)
				require.NoError(t, err)
				require.NoError(t, s.Set(csrf.Key, "abc"))
				protected.ServeHTTP(w, r)
			})
			r := httptest.NewRequest(tc.method, "/", tc.body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tc.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{}).Wrap(h).ServeHTTP(w, r)
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, tc.status == 200, called)
			require.Equal(t, tc.status != 200, log.Len() > 0)
			require.NotContains(t, log.String(), "abc")
		})
	}
}

// downStore cannot be read.
type downStore struct{ *memstore.Store }

func (downStore) Get(context.Context, string) (pyvalue.Value, error) {
	return nil, fmt.Errorf("down: %w", stores.ErrUnavailable)
}

func TestProtectWithoutASession(t *testing.T) {
	csrf := middleware.PyramidCSRF()
	csrf.Logger = slog.New(slog.DiscardHandler)
	never := csrf.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it got through") }))

	w := httptest.NewRecorder()
	never.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code, "no middleware")

	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Cookie", "beaker.session.id=0b7537318ee4673feac234feaffdaf6b0b76f06ad136ad9c54f548d9a31887286abff980")
	store := downStore{memstore.New()}
	o := compat.Defaults()
	m, err := compat.New(o, store, compat.Environment{})
	require.NoError(t, err)
	w = httptest.NewRecorder()
	middleware.NewSessions(m, middleware.SessionsOptions{}).Wrap(never).ServeHTTP(w, r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)

	var got error
	csrf.OnError = func(w http.ResponseWriter, _ *http.Request, err error) { got = err; w.WriteHeader(418) }
	w = httptest.NewRecorder()
	never.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.Equal(t, 418, w.Code)
	require.ErrorIs(t, got, middleware.ErrNoMiddleware)
}

func TestOrigin(t *testing.T) {
	const missing = "\x00"
	for _, tc := range []struct {
		name, host, origin, referer string
		trusted                     []string
		check                       middleware.OriginCheck
		ok                          bool
	}{
		{name: "own", host: "example.com", origin: "https://example.com", referer: missing, ok: true},
		{name: "own with the port", host: "example.com:443", origin: "https://example.com", referer: missing, ok: true},
		{name: "own with port 80", host: "example.com:80", origin: "https://example.com", referer: missing, ok: true},
		{name: "own other port", host: "example.com:8443", origin: "https://example.com:8443", referer: missing, ok: true},
		{name: "another port", host: "example.com:8443", origin: "https://example.com", referer: missing},
		{name: "another port 2", host: "example.com", origin: "https://example.com:8443", referer: missing},
		{name: "host in capitals", host: "Example.COM", origin: "https://example.com", referer: missing, ok: true},
		{name: "IPv6", host: "[::1]:8443", origin: "https://[::1]:8443", referer: missing, ok: true},
		{name: "not https", host: "example.com", origin: "http://example.com", referer: missing},
		{name: "foreign", host: "example.com", origin: "https://evil.com", referer: missing},
		{name: "foreign, named like us", host: "example.com", origin: "https://example.com.evil.com", referer: missing},
		{name: "foreign, with a user", host: "example.com", origin: "https://example.com@evil.com", referer: missing},
		{name: "ours, with a user", host: "example.com", origin: "https://user@example.com", referer: missing},
		{name: "below us", host: "example.com", origin: "https://www.example.com", referer: missing},
		{name: "referer", host: "example.com", origin: missing, referer: "https://example.com/a?b#c", ok: true},
		{name: "referer, odd", host: "example.com", origin: missing, referer: "https://example.com?%zz", ok: true},
		{name: "referer of another", host: "example.com", origin: missing, referer: "https://evil.com/https://example.com/"},
		{name: "origin goes first", host: "example.com", origin: "https://evil.com", referer: "https://example.com/"},
		{name: "several", host: "example.com", origin: "https://evil.com https://example.com", referer: missing, ok: true},
		{name: "several, the last is foreign", host: "example.com", origin: "https://example.com https://evil.com", referer: missing},
		{name: "neither", host: "example.com", origin: missing, referer: missing},
		{name: "neither, not needed", host: "example.com", origin: missing, referer: missing, check: middleware.OriginOptional, ok: true},
		{name: "foreign though not needed", host: "example.com", origin: "https://evil.com", referer: missing, check: middleware.OriginOptional},
		{name: "empty", host: "example.com", origin: "", referer: "https://example.com/"},
		{name: "null", host: "example.com", origin: "null", referer: missing},
		{name: "null trusted", host: "example.com", origin: "null", referer: missing, trusted: []string{"null"}, ok: true},
		{name: "null as referer", host: "example.com", origin: missing, referer: "null", trusted: []string{"null"}},
		{name: "trusted", host: "example.com", origin: "https://shop.com", referer: missing, trusted: []string{"", "Shop.com"}, ok: true},
		{name: "trusted below", host: "example.com", origin: "https://a.b.shop.com", referer: missing, trusted: []string{".shop.com"}, ok: true},
		{name: "trusted itself", host: "example.com", origin: "https://shop.com", referer: missing, trusted: []string{".shop.com"}, ok: true},
		{name: "not below", host: "example.com", origin: "https://myshop.com", referer: missing, trusted: []string{".shop.com"}},
		{name: "junk", host: "example.com", origin: "https://", referer: missing, trusted: []string{""}},
		{name: "ignored", host: "example.com", origin: "https://evil.com", referer: missing, check: middleware.OriginIgnored, ok: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			csrf := middleware.PyramidCSRF()
			csrf.TrustedOrigins = tc.trusted
			if tc.check != 0 || tc.name == "ignored" {
				csrf.Origin = tc.check
			}
			r := httptest.NewRequest("POST", "/", nil)
			r.Host = tc.host
			r.Header.Set("X-CSRF-Token", "abc")
			if tc.origin != missing {
				r.Header.Set("Origin", tc.origin)
			}
			if tc.referer != missing {
				r.Header.Set("Referer", tc.referer)
			}
			s := newSession(t, map[string]any{"_csrft_": "abc"})
			require.NoError(t, csrf.Check(r, s), "over http nothing is checked")
			r.TLS = &tls.ConnectionState{}
			err := csrf.Check(r, s)
			if tc.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, middleware.ErrCSRFOrigin)
			}
			r.TLS = nil
			for _, scheme := range []string{"https", "HTTPS"} {
				csrf.Scheme = func(*http.Request) string { return scheme }
				require.Equal(t, tc.ok, csrf.Check(r, s) == nil, "behind a proxy")
			}
		})
	}
}
