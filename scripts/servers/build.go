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
	"time"
)

// buildTimeout bounds how long a server with many dependencies may take to be built.
const buildTimeout = 15 * time.Minute

// Build returns the program of a package, "." or the path of a dependency, of the module
// in dir, which is not this one. It is built when it is first wanted, and kept in the
// user's cache under name and what the files of dir are.
func Build(dir, name, pkg string) (string, error) {
	sum := sha256.New()
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "gobeaker", name)
	exe := filepath.Join(home, hex.EncodeToString(sum.Sum(nil)[:8]), name)
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
	return exe, build(dir, exe, pkg)
}

// build builds a program. What is there is always whole.
func build(dir, exe, pkg string) error {
	temp, err := os.MkdirTemp(filepath.Dir(exe), "build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	fresh := filepath.Join(temp, filepath.Base(exe))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", fresh, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(fresh, exe)
}
