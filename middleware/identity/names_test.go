package identity

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var deleted = []string{"Remote-User", "X-Auth-Request-User", "X-Gobeaker-Assertion"}

func TestDelete(t *testing.T) {
	for name, c := range map[string]struct{ in, want http.Header }{
		"nothing":     {http.Header{}, http.Header{}},
		"others stay": {http.Header{"Remote-Users": {"a"}, "Remote": {"a"}, "X-Remote-User": {"a"}}, http.Header{"Remote-Users": {"a"}, "Remote": {"a"}, "X-Remote-User": {"a"}}},
		"every spelling": {http.Header{
			"Remote-User": {"a", "b"}, "Remote_user": {"c"}, "REMOTE_USER": {"d"}, "remote-user": {"e"}, "rEmOtE_UsEr": {"f"},
			"Remote.User": {"g"}, "Remote~user": {"h"}, "X-Auth_request-User": {"i"}, "X_Auth_Request_User": {"j"},
			"X-Gobeaker_assertion": {"k"},
		}, http.Header{}},
		"named by Connection": {
			http.Header{"Connection": {"keep-alive, Remote-User", "remote_user", "X-Other,Upgrade"}, "Keep-Alive": {"1"}},
			http.Header{"Connection": {"keep-alive", "X-Other,Upgrade"}, "Keep-Alive": {"1"}}},
		"only named by Connection": {http.Header{"Connection": {"Remote-User"}}, http.Header{}},
		"with tabs and blanks":     {http.Header{"Connection": {" \tREMOTE-USER\t , ,close"}}, http.Header{"Connection": {",close"}}},
		"Connection in any case":   {http.Header{"connection": {"remote-user, close"}}, http.Header{"connection": {"close"}}},
		"Proxy-Connection":         {http.Header{"Proxy-Connection": {"Remote-User"}}, http.Header{}},
		"announced trailers":       {http.Header{"Trailer": {"Remote-User, X-Sum"}}, http.Header{"Trailer": {"X-Sum"}}},
		"untouched lists stay as they are": {
			http.Header{"Connection": {" Upgrade ,  x"}, "Trailer": {"X-Sum ,Y"}}, http.Header{"Connection": {" Upgrade ,  x"}, "Trailer": {"X-Sum ,Y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			Delete(c.in, deleted)
			require.Equal(t, c.want, c.in)
		})
	}
}

// FuzzDelete: what an application could take for one of the names is gone, wherever it
// stood, and nothing else is.
func FuzzDelete(f *testing.F) {
	f.Add("REMOTE_USER", "v", "close, remote-user")
	f.Add("X.Auth.Request.User", "v", "")
	f.Add("Accept", "v", "X")
	f.Fuzz(func(t *testing.T, key, val, list string) {
		h := http.Header{key: {val}, "Connection": {list}, "Trailer": {list, list}}
		Delete(h, deleted)
		cgi := func(name string) string { // RFC 3875, section 4.1.18, and PHP
			b := []byte(strings.ToUpper(name))
			for i, c := range b {
				if !isAlphanumeric(c) {
					b[i] = '_'
				}
			}
			return string(b)
		}
		for left, lines := range h {
			for _, name := range deleted {
				require.NotEqual(t, cgi(name), cgi(left))
				if left != "Connection" && left != "Trailer" {
					continue
				}
				for _, item := range strings.Split(strings.Join(lines, ","), ",") {
					require.NotEqual(t, cgi(name), cgi(strings.Trim(item, " \t")))
				}
			}
		}
	})
}
