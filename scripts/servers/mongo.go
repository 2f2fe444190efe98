package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// buildTimeout bounds how long FerretDB, with a SQLite in Go, may take to be built.
const buildTimeout = 15 * time.Minute

// Mongo starts a FerretDB, which speaks MongoDB's protocol and keeps its data in
// SQLite files. It is built from the module scripts/ferretdb when it is first wanted,
// and kept in the user's cache.
func Mongo(t testing.TB) *Server {
	t.Helper()
	exe, err := ferretDB(filepath.Dir(peers.Script(t, "ferretdb/go.mod")))
	if err != nil {
		peers.Missing(t, fmt.Errorf("FerretDB cannot be built: %w", err))
	}
	return launch(t, &Server{
		name: exe,
		args: func(s *Server) []string {
			data := filepath.Join(s.Dir, "data")
			_ = os.MkdirAll(data, 0o700) // if it fails the server says so
			return []string{s.Addr(), data}
		},
		ready: answers(isMaster, ""),
	})
}

// isMaster is the message by which drivers begin: OP_MSG {isMaster: 1, $db: "admin"}.
const isMaster = "\x37\x00\x00\x00" + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\xdd\x07\x00\x00" + // length, ids, OP_MSG
	"\x00\x00\x00\x00" + "\x00" + // flags, kind of section
	"\x22\x00\x00\x00" + "\x10isMaster\x00\x01\x00\x00\x00" + "\x02$db\x00\x06\x00\x00\x00admin\x00" + "\x00"

// ferretDB returns the program that the module in dir is, built if it is not yet
// there.
func ferretDB(dir string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "gobeaker", "ferretdb")
	exe := filepath.Join(home, hex.EncodeToString(sum.Sum(nil)[:8]), "ferretdb")
	if err := os.MkdirAll(filepath.Dir(exe), 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(exe + ".lock") // tests of several packages want it at the same time
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(exe); err == nil {
		return exe, nil
	}
	return exe, build(dir, exe)
}

// build builds the program of dir. What is there is always whole.
func build(dir, exe string) error {
	temp, err := os.MkdirTemp(filepath.Dir(exe), "build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	fresh := filepath.Join(temp, "ferretdb")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", fresh, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(fresh, exe)
}
