package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proxyAnswers waits for a proxy's answer to a request for a host that it has not.
var proxyAnswers = answers("GET / HTTP/1.0\r\nHost: nobody.example\r\n\r\n", "HTTP/1.")

// Nginx starts an nginx on a port (of [FreePort]) with these files in the folder of its
// configuration. What is in app.conf stands in its http { }.
func Nginx(t testing.TB, port int, files map[string]string) *Server {
	t.Helper()
	s := &Server{
		Port: port,
		name: program(t, "nginx", "nginx", "/usr/sbin"),
		args: func(s *Server) []string {
			return []string{"-p", s.Dir, "-c", filepath.Join(s.Dir, "nginx.conf"), "-e", "stderr"}
		},
		ready: proxyAnswers,
	}
	s.Dir = s.makeDir(t)
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s;\n", kind, filepath.Join(s.Dir, kind))
	}
	// A process of its own for the workers would outlive a test that is killed.
	conf := "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents { }\nhttp {\naccess_log off;\n" +
		"default_type text/plain;\n" + temp.String() + "include app.conf;\n}\n"
	s.write(t, "nginx.conf", conf)
	for name, text := range files {
		s.write(t, name, text)
	}
	return launch(t, s)
}

// Caddy starts a caddy on a port (of [FreePort]), which the Caddyfile has to name.
func Caddy(t testing.TB, port int, caddyfile string) *Server {
	t.Helper()
	s := &Server{
		Port: port,
		name: program(t, "caddy", "caddy"),
		args: func(s *Server) []string {
			return []string{"run", "--config", filepath.Join(s.Dir, "Caddyfile"), "--adapter", "caddyfile"}
		},
		ready: proxyAnswers,
	}
	s.Dir = s.makeDir(t)
	s.env = []string{"XDG_CONFIG_HOME=" + s.Dir, "XDG_DATA_HOME=" + s.Dir} // it keeps copies there
	global := "{\n\tadmin off\n\tauto_https off\n\tdefault_bind " + Host + "\n}\n"
	s.write(t, "Caddyfile", global+caddyfile)
	return launch(t, s)
}

// write puts a file into the server's directory.
func (s *Server) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
