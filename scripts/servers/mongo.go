package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gobeaker/gobeaker/scripts/peers"
)

// Mongo starts a FerretDB, which speaks MongoDB's protocol and keeps its data in
// SQLite files. It is built from the module scripts/ferretdb when it is first wanted,
// and kept in the user's cache.
func Mongo(t testing.TB) *Server {
	t.Helper()
	exe, err := Build(filepath.Dir(peers.Script(t, "ferretdb/go.mod")), "ferretdb", ".")
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
