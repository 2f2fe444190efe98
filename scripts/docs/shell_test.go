package docs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/scripts/servers"
)

// patience is how long something may take that a page waits for.
const patience = 30 * time.Second

// shell is the reader of a page, in a folder: work is where they are, home and bin are
// what their $HOME and $PATH have.
type shell struct {
	dir   string
	ports map[string]string // of the page, and those that stand for them

	in      io.WriteCloser
	done    *bufio.Reader // a line with the status after each command
	command int
}

// play does everything that a page tells, and returns the page with what was printed.
func (s *shell) play(t *testing.T, pg page, text string) string {
	t.Helper()
	parts := parse(t, text)
	for _, p := range parts {
		if p.block {
			s.choosePorts(t, p.text)
		}
	}
	s.start(t)
	var out strings.Builder
	commands := 0
	for i, p := range parts {
		if pg.marked && !(p.block && strings.HasSuffix(parts[i-1].text, runs+"```"+p.language+"\n")) {
			out.WriteString(p.source)
			continue
		}
		switch file, content := p.file(); {
		case file != "":
			s.write(t, file, content)
		case p.language == "console":
			for _, c := range p.commands(t) {
				at := fmt.Sprintf("docs/%s:%d: %s", pg.name, c.line, c.text)
				began := time.Now()
				got := s.do(t, at, c)
				if took := time.Since(began); took > time.Second {
					t.Logf("%.1f s: %s", took.Seconds(), at)
				}
				if *update && !matches(c.want, got) {
					c.want = got
				}
				require.True(t, matches(c.want, got), "%s\n--- the page shows\n%s--- it printed\n%s", at, c.want, got)
				out.WriteString(p.indented(c.source + c.want))
				commands++
			}
			continue
		case p.language == "sh":
			require.Fail(t, "commands that nobody runs", "docs/%s:%d: write a block of console", pg.name, p.line)
		}
		out.WriteString(p.source)
	}
	require.NotZero(t, commands, "the page has no commands")
	return out.String()
}

// start starts the shell.
func (s *shell) start(t *testing.T) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir = filepath.Join(s.dir, "work")
	cmd.ExtraFiles = []*os.File{write} // 3
	cmd.Env = []string{
		"HOME=" + filepath.Join(s.dir, "home"),
		"PATH=" + filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH") + ":/usr/sbin",
		"REPOSITORY=" + repository(t, "."), "LC_ALL=C.UTF-8", "TZ=UTC", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore",
		"NO_PROXY=127.0.0.1,localhost,.example.org",
	}
	// The reader's Go keeps what it has downloaded and built.
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		require.NoError(t, err)
		cmd.Env = append(cmd.Env, name+"="+strings.TrimSpace(string(value)))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stray := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = stray, stray
	cmd.WaitDelay = patience
	s.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, write.Close())
	s.done = bufio.NewReader(read)
	t.Cleanup(func() {
		// The shell's jobs are in its group.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = read.Close()
		if t.Failed() {
			t.Logf("the shell said: %q%s", stray, s.logs())
		}
	})
	if s.ports["443"] != "" {
		// The name leads to this machine, and its certificate is to be trusted.
		const to = "connect-to = \"shop.example.org:%s:127.0.0.1:%s\"\n"
		curlrc := fmt.Sprintf(to+to, "443", s.ports["443"], "80", s.ports["80"]) +
			"cacert = " + filepath.Join(s.dir, "work", "shop.crt") + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, "home", ".curlrc"), []byte(curlrc), 0o600))
	}
	_, err = io.WriteString(s.in, prelude)
	require.NoError(t, err)
}

// logs are the ends of the page's log files.
func (s *shell) logs() string {
	out := ""
	found, _ := filepath.Glob(filepath.Join(s.dir, "work", "*.log"))
	for _, path := range found {
		data, _ := os.ReadFile(path)
		out += fmt.Sprintf("\n--- %s\n%s", filepath.Base(path), data[max(0, len(data)-2000):])
	}
	return out
}

// prelude makes of "go get github.com/gobeaker/gobeaker" a version that is this one: its module
// in this folder. A job that is killed has ended before the next command, as a reader sees
// before they type it.
const prelude = `go() {
	if [[ "$*" == "get github.com/gobeaker/gobeaker" ]]; then
		command go mod edit -require=github.com/gobeaker/gobeaker@v0.0.0 -replace=github.com/gobeaker/gobeaker="$REPOSITORY"
		cp "$REPOSITORY/go.sum" go.sum
	else
		GOFLAGS="-mod=mod -ldflags=-s" GOPROXY=off GOWORK=off command go "$@"
	fi
}
kill() {
	builtin kill "$@"
	[[ $1 == -* ]] && return
	local job
	for job; do
		[[ $job != %* ]] || wait "$job" 2>/dev/null
	done
}
`

// looks are commands that may be repeated.
var looks = regexp.MustCompile(`^(grep|tail|cat|ls|jq) |/metrics|/ready|/ping`)

// do types a command and returns what it prints.
func (s *shell) do(t *testing.T, at string, c command) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out := s.type1(t, at, c.text)
		for strings.HasSuffix(c.text, "&\n") {
			got := s.read(t, out)
			switch {
			case matches(c.want, got) && !*update, time.Now().After(deadline):
				return got
			case *update && (got != "" || time.Now().After(deadline.Add(-patience+5*time.Second))):
				time.Sleep(time.Second) // the lines after the first one
				return s.read(t, out)
			}
			time.Sleep(20 * time.Millisecond)
		}
		got := s.read(t, out)
		late := time.Now().After(deadline) || *update && time.Now().Add(patience-3*time.Second).After(deadline)
		if matches(c.want, got) || !looks.MatchString(c.text) || late {
			return got
		}
	}
}

// type1 types a command, waits until the shell has done it and returns the file with
// what it printed.
func (s *shell) type1(t *testing.T, at, text string) string {
	t.Helper()
	s.command++
	script := filepath.Join(s.dir, fmt.Sprintf("command-%d", s.command))
	out := script + ".out"
	require.NoError(t, os.WriteFile(script, []byte(s.toReal(text)), 0o600))
	_, err := fmt.Fprintf(s.in, "source %s >%s 2>&1 </dev/null; echo $? >&3\n", script, out)
	require.NoError(t, err, at)
	ended := make(chan error, 1)
	go func() {
		_, err := s.done.ReadString('\n')
		ended <- err
	}()
	select {
	case err := <-ended:
		require.NoError(t, err, "%s: the shell has ended", at)
	case <-time.After(2 * time.Minute):
		require.Fail(t, "it does not end", "%s\n%s", at, s.read(t, out))
	}
	return out
}

// notice is what bash says of its jobs.
var notice = regexp.MustCompile(`(?m)^\S*command-\d+: line \d+: +\d+ (Terminated|Killed|Interrupt).*\n`)

func (s *shell) read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	text := strings.NewReplacer(filepath.Join(s.dir, "work"), "/srv/shop", "\r", "").Replace(string(data))
	text = s.fromReal(notice.ReplaceAllString(text, ""))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// write writes a file of the page.
func (s *shell) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(s.dir, "work", name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(s.toReal(content)), 0o644))
}

// port is where a page says on which port somebody is.
var port = regexp.MustCompile(`(?:127\.0\.0\.1:|localhost:|\bport = |--port |\blisten )(\d{2,5})(?:[^.\d]|$)`)

// choosePorts finds a free port for each that a text has.
func (s *shell) choosePorts(t *testing.T, text string) {
	t.Helper()
	for _, m := range port.FindAllStringSubmatch(text, -1) {
		if s.ports[m[1]] == "" {
			s.ports[m[1]] = fmt.Sprint(servers.FreePort(t))
		}
	}
}

var number = regexp.MustCompile(`\b\d{2,5}\b`)

// toReal puts the real ports in place of those of the page, and the real folder.
func (s *shell) toReal(text string) string {
	text = strings.ReplaceAll(text, "/srv/shop", filepath.Join(s.dir, "work"))
	return number.ReplaceAllStringFunc(text, func(n string) string {
		if real := s.ports[n]; real != "" {
			return real
		}
		return n
	})
}

// fromReal is the opposite, also within a URL in a URL.
func (s *shell) fromReal(text string) string {
	back := map[string]string{}
	for shown, real := range s.ports {
		back[real] = shown
	}
	return realNumber.ReplaceAllStringFunc(text, func(n string) string {
		prefix := ""
		if rest, ok := strings.CutPrefix(n, "3A"); ok {
			prefix, n = "3A", rest
		}
		if shown := back[n]; shown != "" {
			return prefix + shown
		}
		return prefix + n
	})
}

var realNumber = regexp.MustCompile(`\b(?:3A)?\d{4,5}\b`)
