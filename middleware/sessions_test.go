package middleware_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

// flakyStore fails when told to.
type flakyStore struct {
	*memstore.Store
	fail error
}

func (s *flakyStore) Put(ctx context.Context, id string, v pyvalue.Value) error {
	if s.fail != nil {
		return s.fail
	}
	return s.Store.Put(ctx, id, v)
}

func newManager(t testing.TB, store stores.Store) *compat.Manager {
	t.Helper()
	o := compat.Defaults()
	o.Secret = "sekrit"
	m, err := compat.New(o, store, compat.Environment{})
	require.NoError(t, err)
	return m
}

// serve runs h behind the middleware on a real server, for a client with a
// cookie jar.
func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	return serveStore(t, memstore.New(), middleware.SessionsOptions{}, h)
}

func serveStore(t *testing.T, store stores.Store, o middleware.SessionsOptions, h http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	srv := httptest.NewServer(middleware.NewSessions(newManager(t, store), o).Wrap(h))
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := srv.Client()
	client.Jar = jar
	return srv, client
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// count increments n in the session.
func count(r *http.Request) (int, error) {
	s, err := middleware.Session(r)
	if err != nil {
		return 0, err
	}
	n, _ := compat.Get[int](s, "n")
	if err := s.Set("n", n+1); err != nil {
		return 0, err
	}
	s.Save()
	return n + 1, nil
}

func TestCounter(t *testing.T) {
	srv, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/static" {
			fmt.Fprint(w, "static")
			return
		}
		n, err := count(r)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, n)
	})
	res, body := get(t, client, srv.URL+"/static")
	require.Equal(t, "static", body)
	require.Empty(t, res.Header["Set-Cookie"])
	require.Empty(t, res.Header["Vary"])
	for want := range 3 {
		res, body = get(t, client, srv.URL+"/")
		require.Equal(t, fmt.Sprint(want+1), body)
		require.Equal(t, want == 0, len(res.Header["Set-Cookie"]) == 1, "only a new session sends a cookie")
		require.Equal(t, []string{"Cookie"}, res.Header["Vary"])
	}
}

// Every way to begin a response commits the session first.
func TestCommitBeforeTheFirstByte(t *testing.T) {
	ways := map[string]func(http.ResponseWriter){
		"nothing at all": func(http.ResponseWriter) {},
		"write":          func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"write string":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"write header":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"flush":          func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller":     func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"read from":      func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x")) },
		"copy":           func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("x")) },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			o := middleware.SessionsOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			done := make(chan struct{})
			h := func(w http.ResponseWriter, r *http.Request) {
				if _, err := count(r); err != nil {
					t.Error(err)
				}
				way(w)
				s, _ := middleware.Session(r)
				_ = s.Set("late", true) // too late, as in Beaker
			}
			sessions := middleware.NewSessions(newManager(t, memstore.New()), o).Wrap(http.HandlerFunc(h))
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				sessions.ServeHTTP(w, r)
			}))
			t.Cleanup(srv.Close)
			res, _ := get(t, srv.Client(), srv.URL)
			<-done
			require.Equal(t, name != "nothing at all", strings.Contains(log.String(), "after the response had begun"))
			require.Len(t, res.Header["Set-Cookie"], 1)
			require.True(t, strings.HasPrefix(res.Header["Set-Cookie"][0], "beaker.session.id="))
		})
	}
}

func TestInformationalResponsesDoNotCommit(t *testing.T) {
	srv, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		if _, err := count(r); err != nil {
			t.Error(err)
		}
	})
	res, _ := get(t, client, srv.URL)
	require.Len(t, res.Header["Set-Cookie"], 1)
}

func TestStreaming(t *testing.T) {
	next := make(chan struct{})
	srv, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := count(r); err != nil {
			t.Error(err)
		}
		rc := http.NewResponseController(w)
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
			<-next
		}
		if err := rc.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Error("the controller reaches the server's own writer:", err)
		}
	})
	res, err := client.Get(srv.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for i := range 3 {
		require.True(t, lines.Scan())
		require.Equal(t, fmt.Sprint("data: ", i), lines.Text())
		next <- struct{}{}
	}
}

func TestHijack(t *testing.T) {
	store := memstore.New()
	srv, _ := serveStore(t, store, middleware.SessionsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		if _, err := count(r); err != nil {
			t.Error(err)
		}
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(buf, "HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
		_ = buf.Flush()
	})
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "hello")
	records := 0
	for _, err := range store.List(context.Background(), "") {
		require.NoError(t, err)
		records++
	}
	require.Equal(t, 1, records, "the session was written")
}

func TestPanicWritesNothing(t *testing.T) {
	store := memstore.New()
	var log bytes.Buffer
	h := middleware.NewSessions(newManager(t, store), middleware.SessionsOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}).
		Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s, err := middleware.Session(r)
			if err != nil {
				t.Error(err)
			}
			if err := s.Lock(r.Context()); err != nil {
				t.Error(err)
			}
			if _, err := count(r); err != nil {
				t.Error(err)
			}
			panic("handler")
		}))
	rec := httptest.NewRecorder()
	require.PanicsWithValue(t, "handler", func() { h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil)) })
	require.Empty(t, rec.Header())
	for range store.List(context.Background(), "") {
		t.Fatal("half a session was saved")
	}
	require.Empty(t, log.String(), "its lock was given back quietly")
}

func TestStoreFailsAtTheEnd(t *testing.T) {
	tests := []struct {
		name   string
		fail   error
		status int
	}{
		{"unavailable", fmt.Errorf("down: %w", stores.ErrUnavailable), http.StatusServiceUnavailable},
		{"other", errors.New("odd"), http.StatusInternalServerError},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			o := middleware.SessionsOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			srv, client := serveStore(t, &flakyStore{memstore.New(), tc.fail}, o, func(w http.ResponseWriter, r *http.Request) {
				if _, err := count(r); err != nil {
					t.Error(err)
				}
				w.Header().Set("Etag", `"x"`)
				w.Header().Set("X-Frame-Options", "DENY")
				_, err1 := w.Write([]byte("secret page"))
				_, err2 := io.WriteString(w, "secret page")
				_, err3 := w.(io.ReaderFrom).ReadFrom(strings.NewReader("secret page"))
				err4 := http.NewResponseController(w).Flush()
				w.WriteHeader(http.StatusOK)
				if err := errors.Join(err1, err2, err3, err4); err != nil {
					t.Error("a reverse proxy would cut the connection:", err)
				}
				if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
					t.Error("the connection is not the handler's any more")
				}
			})
			res, body := get(t, client, srv.URL)
			require.Equal(t, tc.status, res.StatusCode)
			require.NotContains(t, body, "secret page")
			require.Empty(t, res.Header["Set-Cookie"])
			require.Empty(t, res.Header["Etag"])
			require.Equal(t, "DENY", res.Header.Get("X-Frame-Options"))
			require.Contains(t, log.String(), "session could not be written")
		})
	}
}

// A session that is too long for its cookie is a page that failed, not one that
// was forgotten; the log says what is so long, but not what is in it.
func TestSessionTooLongForItsCookie(t *testing.T) {
	o := compat.Defaults()
	o.Type, o.ValidateKey = "cookie", "sekrit"
	m, err := compat.New(o, nil, compat.Environment{})
	require.NoError(t, err)
	fill := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := middleware.Session(r)
		require.NoError(t, err)
		require.NoError(t, s.Set("basket", strings.Repeat("apple", 1000)))
		s.Save()
		_, _ = io.WriteString(w, "page")
	})

	var log bytes.Buffer
	w := httptest.NewRecorder()
	middleware.NewSessions(m, middleware.SessionsOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}).
		Wrap(fill).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Empty(t, w.Header()["Set-Cookie"])
	require.NotContains(t, w.Body.String(), "page")
	require.Regexp(t, `session is too long for a cookie: \d{4} bytes, at most 4064 are possible; the largest keys are .*basket.* \(50\d\d\)`, log.String())
	require.NotContains(t, log.String(), "apple")
	require.NotContains(t, log.String(), "sekrit")

	var tooLong *beakerfmt.CookieTooLongError
	own := middleware.SessionsOptions{OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
		require.ErrorAs(t, err, &tooLong)
		w.WriteHeader(http.StatusInsufficientStorage)
	}}
	w = httptest.NewRecorder()
	middleware.NewSessions(m, own).Wrap(fill).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusInsufficientStorage, w.Code)
	require.Equal(t, "basket", tooLong.Largest[0].Key)
}

// A store that hangs is given up, and a client that leaves does not undo what
// was done for it.
func TestWriteHasATimeOfItsOwn(t *testing.T) {
	store := memstore.New()
	h := middleware.NewSessions(newManager(t, store), middleware.SessionsOptions{}).
		Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := count(r); err != nil {
				t.Error(err)
			}
		}))
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil).WithContext(gone))
	require.Equal(t, http.StatusOK, rec.Code)
	require.Len(t, rec.Header()["Set-Cookie"], 1)

	hanging := &flakyStore{store, fmt.Errorf("hangs: %w", context.DeadlineExceeded)}
	o := middleware.SessionsOptions{Logger: slog.New(slog.DiscardHandler)}
	srv, client := serveStore(t, hanging, o, func(_ http.ResponseWriter, r *http.Request) { _, _ = count(r) })
	res, _ := get(t, client, srv.URL)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
}

// The error answer reaches the client also through a reverse proxy.
func TestReverseProxyInside(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("secret "), 10_000))
	}))
	t.Cleanup(upstream.Close)
	target, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	store := &flakyStore{memstore.New(), stores.ErrUnavailable}
	o := middleware.SessionsOptions{Logger: slog.New(slog.DiscardHandler)}
	srv, client := serveStore(t, store, o, func(w http.ResponseWriter, r *http.Request) {
		_, _ = count(r)
		proxy.ServeHTTP(w, r)
	})
	res, body := get(t, client, srv.URL)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "Service Unavailable\n", body)
}

// Whoever is still at work after the request gets no lock that nobody would
// give back.
func TestNoLockAfterTheRequest(t *testing.T) {
	var late *compat.Session
	h := middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{}).
		Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			late, _ = middleware.Session(r)
		}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	require.ErrorIs(t, late.Lock(context.Background()), compat.ErrClosed)
}

func TestWithoutMiddleware(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	_, err := middleware.Session(r)
	require.ErrorIs(t, err, middleware.ErrNoMiddleware)
	require.ErrorContains(t, err, "Sessions.Wrap")
	_, err = middleware.Peek(r)
	require.ErrorIs(t, err, middleware.ErrNoMiddleware)
	_, err = middleware.Object(r)
	require.ErrorIs(t, err, middleware.ErrNoMiddleware)
}

func TestPeekSendsNoCookie(t *testing.T) {
	srv, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			_, _ = count(r)
			return
		}
		w.Header().Set("Vary", "Accept-Encoding")
		v, err := middleware.Peek(r)
		if err != nil {
			t.Error(err)
			return
		}
		n, ok := compat.Get[int](v, "n")
		fmt.Fprint(w, n, ok)
	})
	get(t, client, srv.URL+"/login")
	res, body := get(t, client, srv.URL+"/page")
	require.Equal(t, "1 true", body)
	require.Empty(t, res.Header["Set-Cookie"])
	require.Equal(t, []string{"Accept-Encoding", "Cookie"}, res.Header["Vary"])
}

func TestVaryIsNotRepeated(t *testing.T) {
	for _, vary := range []string{"cookie", "Accept, COOKIE", "*"} {
		srv, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", vary)
			_, _ = count(r)
		})
		res, _ := get(t, client, srv.URL)
		require.Equal(t, []string{vary}, res.Header["Vary"])
	}
}

// HTTP/2 clients may send each cookie in a line of its own.
func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(middleware.NewSessions(newManager(t, memstore.New()), middleware.SessionsOptions{}).
		Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := count(r)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, r.Proto, " ", n)
		})))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client := srv.Client()
	res, body := get(t, client, srv.URL)
	require.Equal(t, "HTTP/2.0 1", body)
	pair, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	req, err := http.NewRequest("GET", srv.URL, nil)
	require.NoError(t, err)
	req.Header["Cookie"] = []string{"a=b", pair}
	res, err = client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0 2", string(got))
}

func BenchmarkUntouched(b *testing.B) {
	bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	wrapped := middleware.NewSessions(newManager(b, memstore.New()), middleware.SessionsOptions{}).Wrap(bare)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "beaker.session.id=0b7537318ee4673feac234feaffdaf6b0b76f06ad136ad9c54f548d9a31887286abff980")
	for name, h := range map[string]http.Handler{"bare": bare, "wrapped": wrapped} {
		b.Run(name, func(b *testing.B) {
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
