package beakerfmt

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// DataPath returns the path of a session's file below container_file, with
// slashes: "1/1e/1e4c….cache". The id must have passed an [IDRule]; of any
// other one Beaker, and this function, uses only what follows the last slash.
//
// Beaker: util.py, encoded_path; container.py, FileNamespaceManager.
func DataPath(id string) string {
	name := id[strings.LastIndexByte(id, '/')+1:]
	return twoLevels(name, ".cache")
}

// LockPath returns the path of a session's lock file below container_file_lock,
// with slashes: "e/ea/ea3d….lock". Its name is the SHA-1 of the whole id.
//
// Beaker: synchronization.py, FileSynchronizer; util.py, encoded_path.
func LockPath(id string) string {
	sum := sha1.Sum([]byte(id))
	return twoLevels(hex.EncodeToString(sum[:]), ".lock")
}

// twoLevels puts a file into the directories of its name's first letter and of
// its first two.
func twoLevels(name, ext string) string {
	one, two := name[:min(1, len(name))], name[:min(2, len(name))]
	return one + "/" + two + "/" + name + ext
}
