package facts

import "golang.org/x/sys/unix"

// fileSystems are those whose name tells something: where the clock is another machine's,
// and where nothing outlasts the machine.
var fileSystems = map[int64]struct {
	name    string
	network bool
}{
	unix.NFS_SUPER_MAGIC: {"nfs", true}, unix.SMB_SUPER_MAGIC: {"smb", true}, unix.CIFS_SUPER_MAGIC: {"cifs", true},
	unix.SMB2_SUPER_MAGIC: {"smb2", true}, unix.CEPH_SUPER_MAGIC: {"ceph", true}, unix.AFS_FS_MAGIC: {"afs", true},
	unix.AFS_SUPER_MAGIC: {"afs", true}, unix.CODA_SUPER_MAGIC: {"coda", true}, unix.V9FS_MAGIC: {"9p", true},
	unix.FUSE_SUPER_MAGIC: {"fuse", true}, // sshfs, glusterfs, s3fs: mostly elsewhere
	unix.TMPFS_MAGIC:      {"tmpfs", false}, unix.RAMFS_MAGIC: {"ramfs", false}, unix.EXT4_SUPER_MAGIC: {"ext4", false},
	unix.XFS_SUPER_MAGIC: {"xfs", false}, unix.BTRFS_SUPER_MAGIC: {"btrfs", false}, unix.OVERLAYFS_SUPER_MAGIC: {"overlay", false},
}

// fileSystem asks the file system of a directory how much room there is.
func fileSystem(dir string) (FileSys, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(dir, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return FileSys{}, err
		}
		break
	}
	kind := fileSystems[int64(uint32(st.Type))]
	unit := uint64(st.Frsize)
	if unit == 0 {
		unit = uint64(st.Bsize)
	}
	return FileSys{
		Path: dir, Free: st.Bavail * unit, Size: st.Blocks * unit, FreeInodes: st.Ffree, Inodes: st.Files,
		Network: kind.network, Kind: kind.name,
	}, nil
}
