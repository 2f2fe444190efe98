package livetest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"
)

// The stand-ins ask and pass on by the rules of the proxies that they stand in for, as far
// as they are about forward-auth, with the lists of the example configurations. Paths they
// leave as they are, although the real ones clean some of them up.

// reverseProxy passes requests on to an address, and has the answer changed.
func reverseProxy(address string, change func(*http.Response) error) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", strings.TrimPrefix(address, "http://")
			p.Out.Host = p.In.Host
		},
		ModifyResponse: change,
	}
}

// dropAliases deletes headers that applications may take for others.
func dropAliases(h http.Header) {
	for name := range h {
		if strings.ContainsFunc(name, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			delete(h, name)
		}
	}
}

func dropForwarded(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			delete(h, name)
		}
	}
}

var noRedirect = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func listen(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// startTraefik stands in for Traefik 3.7 (its middleware ForwardAuth).
func startTraefik(t *testing.T, w *world) string {
	var static struct {
		EntryPoints struct {
			Web struct {
				HTTP struct {
					AliasHeadersStrategy string `yaml:"aliasHeadersStrategy"`
				} `yaml:"http"`
			} `yaml:"web"`
		} `yaml:"entryPoints"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(w.example(t, "traefik.yml", 0)), &static))
	require.Equal(t, "delete", static.EntryPoints.Web.HTTP.AliasHeadersStrategy)
	var dynamic struct {
		HTTP struct {
			Middlewares struct {
				Gobeaker struct {
					ForwardAuth struct {
						Address            string   `yaml:"address"`
						TrustForwardHeader *bool    `yaml:"trustForwardHeader"`
						ResponseHeaders    []string `yaml:"authResponseHeaders"`
						Cookies            []string `yaml:"addAuthCookiesToResponse"`
					} `yaml:"forwardAuth"`
				} `yaml:"gobeaker"`
			} `yaml:"middlewares"`
			Services map[string]struct {
				LoadBalancer struct {
					Servers []struct {
						URL string `yaml:"url"`
					} `yaml:"servers"`
				} `yaml:"loadBalancer"`
			} `yaml:"services"`
		} `yaml:"http"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(w.example(t, "traefik-routes.yml", 0)), &dynamic))
	auth := dynamic.HTTP.Middlewares.Gobeaker.ForwardAuth
	require.False(t, *auth.TrustForwardHeader)
	upstream := func(name string) string { return dynamic.HTTP.Services[name].LoadBalancer.Servers[0].URL }

	return listen(t, func(rw http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if host != appHost {
			http.NotFound(rw, r)
			return
		}
		dropAliases(r.Header)
		if r.URL.Path == "/userinfo" {
			reverseProxy(upstream("gobeaker"), nil).ServeHTTP(rw, r)
			return
		}
		q, err := http.NewRequestWithContext(r.Context(), "GET", auth.Address, nil)
		if err != nil {
			t.Error(err)
			return
		}
		q.Header = r.Header.Clone()
		for _, name := range append(strings.Split(r.Header.Get("Connection"), ","), "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade") {
			q.Header.Del(strings.TrimSpace(name))
		}
		dropForwarded(q.Header)
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		for name, value := range map[string]string{"For": client, "Method": r.Method, "Proto": "http", "Host": r.Host, "Uri": r.URL.RequestURI()} {
			q.Header.Set("X-Forwarded-"+name, value)
		}
		a, err := noRedirect.Do(q)
		if err != nil {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer a.Body.Close()
		if a.StatusCode/100 != 2 {
			for name, values := range a.Header {
				rw.Header()[name] = values
			}
			rw.WriteHeader(a.StatusCode)
			_, _ = io.Copy(rw, a.Body)
			return
		}
		for _, name := range auth.ResponseHeaders {
			r.Header.Del(name)
			if values := a.Header.Values(name); len(values) > 0 {
				r.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
		reverseProxy(upstream("app"), func(response *http.Response) error {
			for _, c := range a.Cookies() {
				if slices.Contains(auth.Cookies, c.Name) {
					response.Header.Add("Set-Cookie", c.String())
				}
			}
			return nil
		}).ServeHTTP(rw, r)
	})
}

// startEnvoy stands in for Envoy (its filter ext_authz over HTTP).
func startEnvoy(t *testing.T, w *world) string {
	type patterns struct {
		Patterns []struct {
			Exact string `yaml:"exact"`
		} `yaml:"patterns"`
	}
	allows := func(p patterns, name string) bool {
		for _, one := range p.Patterns {
			if strings.EqualFold(one.Exact, name) {
				return true
			}
		}
		return false
	}
	type authz struct {
		FailureModeAllow *bool    `yaml:"failure_mode_allow"`
		AllowedHeaders   patterns `yaml:"allowed_headers"`
		StatusOnError    struct {
			Code string `yaml:"code"`
		} `yaml:"status_on_error"`
		HTTPService struct {
			PathPrefix string `yaml:"path_prefix"`
			ServerURI  struct {
				URI string `yaml:"uri"`
			} `yaml:"server_uri"`
			Response struct {
				Upstream  patterns `yaml:"allowed_upstream_headers"`
				Client    patterns `yaml:"allowed_client_headers"`
				OnSuccess patterns `yaml:"allowed_client_headers_on_success"`
			} `yaml:"authorization_response"`
		} `yaml:"http_service"`
	}
	var config struct {
		Static struct {
			Listeners []struct {
				Chains []struct {
					Filters []struct {
						Config struct {
							UseRemoteAddress bool `yaml:"use_remote_address"`
							Protocol         struct {
								Underscores string `yaml:"headers_with_underscores_action"`
							} `yaml:"common_http_protocol_options"`
							HTTPFilters []struct {
								Config authz `yaml:"typed_config"`
							} `yaml:"http_filters"`
						} `yaml:"typed_config"`
					} `yaml:"filters"`
				} `yaml:"filter_chains"`
			} `yaml:"listeners"`
		} `yaml:"static_resources"`
	}
	text := w.example(t, "envoy.yaml", 0)
	require.NoError(t, yaml.Unmarshal([]byte(text), &config))
	manager := config.Static.Listeners[0].Chains[0].Filters[0].Config
	require.True(t, manager.UseRemoteAddress)
	require.Equal(t, "DROP_HEADER", manager.Protocol.Underscores)
	auth := manager.HTTPFilters[0].Config
	require.False(t, *auth.FailureModeAllow)
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		require.True(t, allows(auth.AllowedHeaders, name), "gobeaker has to see %s to refuse it", name)
	}
	require.Equal(t, "ServiceUnavailable", auth.StatusOnError.Code)
	service := auth.HTTPService
	gobeaker, err := url.Parse(service.ServerURI.URI)
	require.NoError(t, err)

	_, app, _ := strings.Cut(text, "cluster_name: app")
	_, app, _ = strings.Cut(app, "port_value: ")
	app, _, _ = strings.Cut(app, "}")

	return listen(t, func(rw http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if host != appHost {
			http.NotFound(rw, r)
			return
		}
		for name := range r.Header {
			if strings.Contains(name, "_") {
				delete(r.Header, name)
			}
		}
		if r.URL.Path == "/userinfo" {
			reverseProxy(gobeaker.Host, nil).ServeHTTP(rw, r)
			return
		}
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		r.Header.Set("X-Forwarded-Proto", "http")
		r.Header.Add("X-Forwarded-For", client)
		q := (&http.Request{
			Method: r.Method, Host: r.Host, Header: http.Header{},
			URL: &url.URL{Scheme: "http", Host: gobeaker.Host, Opaque: service.PathPrefix + r.URL.RequestURI()},
		}).WithContext(r.Context())
		for name, values := range r.Header {
			if allows(auth.AllowedHeaders, name) || name == "Authorization" {
				q.Header[name] = values
			}
		}
		a, err := noRedirect.Do(q)
		if err != nil || a.StatusCode >= 500 {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer a.Body.Close()
		if a.StatusCode != 200 {
			for name, values := range a.Header {
				if allows(service.Response.Client, name) || slices.Contains([]string{"Location", "Www-Authenticate", "Content-Length"}, name) {
					rw.Header()[name] = values
				}
			}
			rw.WriteHeader(a.StatusCode)
			_, _ = io.Copy(rw, a.Body)
			return
		}
		for name, values := range a.Header {
			if allows(service.Response.Upstream, name) {
				r.Header[name] = values
			}
		}
		for name := range strings.SplitSeq(a.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
			r.Header.Del(strings.TrimSpace(name))
		}
		reverseProxy("127.0.0.1:"+app, func(response *http.Response) error {
			for name, values := range a.Header {
				if allows(service.Response.OnSuccess, name) {
					response.Header[name] = append(response.Header[name], values...)
				}
			}
			return nil
		}).ServeHTTP(rw, r)
	})
}
