//go:build unix

package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// served is a server in processes of its own.
type served struct {
	url     string
	lines   *bufio.Reader // what all its processes print
	pidFile string
}

// serveProcess starts "gobeaker serve" in the present folder.
func serveProcess(t *testing.T, args ...string) *served {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	s := &served{pidFile: filepath.Join(dir, "pid")}
	out, in, err := os.Pipe() // not cmd.StdoutPipe: the next process writes to it as well
	require.NoError(t, err)
	cmd := exec.Command("gobeaker", append([]string{"serve", "--listen", "127.0.0.1:0", "--server-pid-file", s.pidFile}, args...)...)
	cmd.Stdout, cmd.Stderr = in, in
	require.NoError(t, cmd.Start())
	require.NoError(t, in.Close())
	s.lines = bufio.NewReader(out)
	go cmd.Wait()
	t.Cleanup(func() {
		_ = s.signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, s.lines) // until the last process has ended
		out.Close()
	})
	line := s.until(t, "gobeaker: serving")
	s.url = strings.Fields(line)[2]
	return s
}

// until returns the next line that has one of the texts.
func (s *served) until(t *testing.T, texts ...string) string {
	t.Helper()
	seen := ""
	for {
		line, err := s.lines.ReadString('\n')
		require.NoError(t, err, seen)
		if seen += line; slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) }) {
			return line
		}
	}
}

// signal goes to the process that serves now.
func (s *served) signal(sig syscall.Signal) error {
	text, err := os.ReadFile(s.pidFile)
	if err != nil {
		return err
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// once asks by a connection of its own.
func once(url string) error {
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		return err
	}
	return wellAnswered(resp)
}

func wellAnswered(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 200 {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	return nil
}

// keeper keeps its connection for as long as it may, and does not ask twice: a browser
// would not send a form again.
type keeper struct {
	conn net.Conn
	in   *bufio.Reader
}

func (k *keeper) ask(url string) (err error) {
	host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
	if k.conn == nil {
		if k.conn, err = net.Dial("tcp", host); err != nil {
			return err
		}
		k.in = bufio.NewReader(k.conn)
	}
	if _, err := io.WriteString(k.conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return err
	}
	if err := wellAnswered(resp); err != nil {
		return err
	}
	if resp.Close {
		k.conn.Close()
		k.conn = nil
	}
	return nil
}

// A new process takes over under load: no request fails, whether its connection is new or
// old, and sessions in files go on. If the new one cannot start, the old one stays.
func TestHandover(t *testing.T) {
	t.Chdir(t.TempDir())
	socket := filepath.Join(shortDir(t), "admin.sock")
	good := "[session]\ndata_dir = \"data\"\nsecret = \"s\"\n[admin]\nlisten = \"unix:" + socket + "\"\n[log]\naccess = false\n"
	require.NoError(t, os.WriteFile("gobeaker.toml", []byte(good), 0o600))
	s := serveProcess(t)

	const clients = 8
	enough := make(chan struct{})
	var asked atomic.Int64
	results := make(chan error, clients)
	for i := range clients {
		go func() {
			ask := once
			if i%2 == 1 {
				ask = new(keeper).ask
			}
			for {
				err := ask(s.url)
				if err != nil {
					results <- fmt.Errorf("client %d: %w", i, err)
					return
				}
				asked.Add(1)
				select {
				case <-enough:
					results <- nil
					return
				default:
				}
			}
		}()
	}
	more := func() {
		for n := asked.Load() + 50; asked.Load() < n; {
			select {
			case err := <-results:
				require.NoError(t, err)
				return
			default:
			}
		}
	}
	pids := map[string]bool{}
	for range 3 {
		more()
		pid, err := os.ReadFile(s.pidFile)
		require.NoError(t, err)
		require.Regexp(t, `^\d+\n$`, string(pid))
		require.False(t, pids[string(pid)])
		pids[string(pid)] = true
		for begun := false; !begun; { // while the process before has connections, there is no next one
			require.NoError(t, s.signal(syscall.SIGUSR2))
			begun = !strings.Contains(s.until(t, "gobeaker: serving "+s.url, "parent hasn't exited"), "parent")
		}
		s.until(t, "new_process=true")
	}
	require.NoError(t, os.WriteFile("gobeaker.toml", []byte("[nonsense]\n"), 0o600))
	for begun := false; !begun; {
		require.NoError(t, s.signal(syscall.SIGUSR2))
		begun = !strings.Contains(s.until(t, "no new process took over"), "parent hasn't exited")
	}
	more()
	close(enough)
	for range clients {
		require.NoError(t, <-results)
	}
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	conn.Close()
	t.Logf("%d requests", asked.Load())
	require.NoError(t, s.signal(syscall.SIGTERM))
	s.until(t, "new_process=false")
	_, err = io.Copy(io.Discard, s.lines)
	require.NoError(t, err)
	require.NoFileExists(t, socket)
	require.NoFileExists(t, s.pidFile)
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gb")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// systemd opens the sockets and is told how the service is, also of the process that takes
// over.
func TestSystemd(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := shortDir(t)
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	require.NoError(t, err)
	defer notified.Close()
	next := func() string {
		b := make([]byte, 1000)
		for {
			n, err := notified.Read(b)
			require.NoError(t, err)
			if text := string(b[:n]); text != "WATCHDOG=1" {
				return text
			}
		}
	}
	var files []*os.File
	var urls []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		urls = append(urls, "http://"+l.Addr().String()+"/")
		f, err := l.(*net.TCPListener).File()
		require.NoError(t, err)
		require.NoError(t, l.Close())
		files = append(files, f)
	}
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec gobeaker serve --listen 192.0.2.1:1 --server-pid-file pid`)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=60000000", "LISTEN_FDS=2", "LISTEN_FDNAMES=gateway:admin")
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = files, in, in
	require.NoError(t, cmd.Start())
	require.NoError(t, in.Close())
	s := &served{lines: bufio.NewReader(out), pidFile: "pid"}
	go cmd.Wait()
	answers := func() {
		for i, path := range []string{"", "ready"} {
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(urls[i] + path)
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, 200, resp.StatusCode)
		}
	}
	require.Equal(t, "READY=1", next())
	answers()
	require.NoError(t, s.signal(syscall.SIGUSR2))
	require.Regexp(t, `^MAINPID=\d+\nREADY=1$`, next())
	s.until(t, "new_process=true")
	answers()
	require.NoError(t, s.signal(syscall.SIGHUP))
	require.Contains(t, next(), "RELOADING=1")
	require.Contains(t, next(), "READY=1")
	require.NoError(t, s.signal(syscall.SIGTERM))
	require.Equal(t, "STOPPING=1", next())
	_, err = io.Copy(io.Discard, s.lines)
	require.NoError(t, err)
}
