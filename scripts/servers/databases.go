package servers

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// The database that [Postgres] and [MariaDB] have, and who may do everything in it.
const (
	Database = "beaker"
	User     = "beaker"
	Password = "pass word/1" // such as must be quoted in a URL
)

// QuotedPassword is Password as it stands in a URL.
const QuotedPassword = "pass%20word%2F1"

// Postgres starts a PostgreSQL with the database.
func Postgres(t testing.TB) *Server {
	t.Helper()
	const debian = "/usr/lib/postgresql/*/bin"
	initdb := program(t, "initdb", "postgresql", debian)
	if real, err := filepath.EvalSymlinks(initdb); err == nil {
		initdb = real // its sisters are where it really is
	}
	bin := filepath.Dir(initdb)
	s := &Server{
		name: filepath.Join(bin, "postgres"),
		as:   unprivileged(t, "postgres"), // it refuses to run as root
		args: func(s *Server) []string {
			return []string{
				"-D", filepath.Join(s.Dir, "data"), "-h", Host, "-p", strconv.Itoa(s.Port), "-k", s.Dir,
				"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB",
			}
		},
		ready: func(s *Server) error {
			return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", Host, "-p", strconv.Itoa(s.Port)).Run()
		},
	}
	s.Dir = s.makeDir(t)
	passwords := filepath.Join(s.Dir, "password")
	if err := os.WriteFile(passwords, []byte(Password+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, s.as, s.Dir, nil, initdb, "-D", filepath.Join(s.Dir, "data"), "-U", User, "-A", "scram-sha-256",
		"--pwfile", passwords, "-E", "UTF8", "--locale", "C", "--no-sync")
	launch(t, s)
	run(t, s.as, s.Dir, []string{"PGPASSWORD=" + Password}, filepath.Join(bin, "createdb"), "-h", Host, "-p", strconv.Itoa(s.Port), "-U", User, Database)
	return s
}

// MariaDB starts a MariaDB with the database.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	install := program(t, "mariadb-install-db", "mariadb-server")
	s := &Server{
		name: program(t, "mariadbd", "mariadb-server", "/usr/sbin"),
		args: func(s *Server) []string {
			return append([]string{
				"--no-defaults", "--datadir=" + filepath.Join(s.Dir, "data"), "--bind-address=" + Host, "--port=" + strconv.Itoa(s.Port),
				"--socket=" + filepath.Join(s.Dir, "socket"), "--pid-file=" + filepath.Join(s.Dir, "pid"), "--init-file=" + filepath.Join(s.Dir, "init.sql"),
				"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF",
			}, asRoot("--user=root")...)
		},
		ready: answers("", ""), // it speaks first
	}
	s.Dir = s.makeDir(t)
	run(t, nil, s.Dir, nil, install, append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(s.Dir, "data"), "--auth-root-authentication-method=normal", "--skip-test-db",
		"--innodb-log-file-size=8M",
	}, asRoot("--user=root")...)...)
	init := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4;\nCREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%s'@'%%';\n",
		Database, User, Password, User)
	if err := os.WriteFile(filepath.Join(s.Dir, "init.sql"), []byte(init), 0o644); err != nil {
		t.Fatal(err)
	}
	return launch(t, s)
}

// asRoot returns arguments that are only for root.
func asRoot(args ...string) []string {
	if os.Geteuid() != 0 {
		return nil
	}
	return args
}

// unprivileged is whom a server runs as that refuses root; nil where the test is not
// root.
func unprivileged(t testing.TB, names ...string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is no user to run the server as")
	return nil
}
