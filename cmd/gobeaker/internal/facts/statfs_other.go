//go:build !linux

package facts

import "errors"

// fileSystem: what statfs(2) tells is another thing on each system.
func fileSystem(string) (FileSys, error) { return FileSys{}, errors.ErrUnsupported }
