package doctor

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
)

// treeChecks are about the directories of file and dbm stores.
func treeChecks() []Check {
	return []Check{
		{"dir-world-writable", Error, "Everybody on the machine can write where the sessions are (CVE-2013-7489)",
			"Whoever can put a file there is any user he likes, and has Python run code of his by a pickle.",
			"chmod o-w the directories and files, give them to the user that the applications run as, and set its umask to 027 or 077: Beaker makes files with mode 666 and directories with 777, less the umask.", tree(func(s *Side, t *facts.Tree, r *report) {
				var where []string
				for _, d := range t.Dirs {
					if open(d, 0o002) {
						where = append(where, placeName(d))
					}
				}
				if n := t.WorldWrite + t.OpenDirs; n > 0 || len(where) > 0 {
					r.add(where...).Count = n
				}
			}), nil},
		{"dir-world-readable", Warning, "Everybody on the machine can read the sessions",
			"The name of a record is the id of its session: who can list the directory has the ids of all who are logged in, and without a secret that is all that a cookie needs.",
			"chmod 700 the data_dir (or 750 with a group of the applications), and set their umask to 077 or 027.", tree(func(s *Side, t *facts.Tree, r *report) {
				var where []string
				for _, d := range t.Dirs {
					if d.Role != "locks" && open(d, 0o005) {
						where = append(where, placeName(d))
					}
				}
				if len(where) > 0 {
					r.add(where...).Count = t.WorldRead
				}
			}), nil},
		{"dir-unreadable", Error, "Some of the records cannot be read by us",
			"Their owners are others, or their modes do not allow it. An application that may not read a record takes it for one that is not there and begins a new session (Beaker from 1.9.1 on), or fails.",
			"Run all that share the sessions as one user, or in one group with umask 007 and the setgid bit on the directories (chmod g+s).", tree(func(s *Side, t *facts.Tree, r *report) {
				n, where := t.Unreadable, []string{s.at("file_dir", "data_dir")}
				if s.Sample != nil { // the walk opens no records
					forbidden := s.Sample.States["forbidden"]
					n, where = n+forbidden.Sessions, append(where, forbidden.Examples...)
				}
				if n > 0 {
					r.add(where...).saying("%d directories or records.", n).Count = n
				}
			}), nil},
		{"dir-owners", Warning, "The records belong to several users",
			"Each application makes files of its own user. The other one needs to be allowed to read and to replace them, also those that will be made tomorrow.",
			"Run all that share the sessions as one user, or in one group with umask 007 and the setgid bit on the directories (chmod g+s).", tree(func(s *Side, t *facts.Tree, r *report) {
				if len(t.MixedOwners) > 1 {
					f := r.add(s.at("file_dir", "data_dir")).saying("The user ids are %s.", strings.Trim(fmt.Sprint(t.MixedOwners), "[]"))
					f.Count = t.OtherOwner
				}
			}), nil},
		{"dir-symlinks", Warning, "There are symbolic links among the records",
			"Beaker follows them, so a record may be anywhere. gobeaker does not remove through them.",
			"Find out who made them, and replace them by what they lead to.", tree(func(s *Side, t *facts.Tree, r *report) {
				if t.Symlinks > 0 {
					r.add(s.at("file_dir", "data_dir")).saying("There are %d.", t.Symlinks).Count = t.Symlinks
				}
			}), nil},
		{"locks-stale", Info, "Lock files of sessions that are gone",
			"Beaker makes a lock file for each id that it ever saw and never removes one, so they use up inodes, one each.",
			"Run gobeaker gc now and then: it removes them safely beside running applications.", tree(func(s *Side, t *facts.Tree, r *report) {
				if t.StaleLocks > 0 {
					f := r.add(s.at("lock_dir", "data_dir")).saying("%d of %d lock files.", t.StaleLocks, t.Locks)
					f.Count = t.StaleLocks
					if t.StaleLocks > 100_000 {
						f.as(Warning)
					}
				}
			}), nil},
		{"temp-files", Info, "Temporary files were left behind",
			"A process was ended in the middle of a write. The next write of that session replaces the file.",
			"gobeaker gc removes old ones. Many new ones mean that something ends processes, or that the disk is full.", tree(func(s *Side, t *facts.Tree, r *report) {
				if t.Temps > 0 {
					r.add(s.at("file_dir", "data_dir")).saying("There are %d.", t.Temps).Count = t.Temps
				}
			}), nil},
		{"store-growth", Warning, "The store keeps what nobody needs any more",
			"Beaker removes no record, neither at the end of a session nor later. Directories fill up, backups grow, and at the end there are no inodes left.",
			"Run gobeaker gc every day (it needs a timeout); gobeaker's own side removes records of sessions that end.", tree(checkGrowth), nil},
		{"disk-full", Warning, "The file system is nearly full",
			"When it is full, no session is saved: with Beaker before 1.9.1 the record is cut short, later ones fail.",
			"Run gobeaker gc, or make room.", tree(checkDisk), nil},
		{"file-system", Warning, "The sessions are on an unusual file system",
			"File sessions rely on flock and on rename.",
			"Put the sessions on a local disk, or use a server (ext:redis, ext:database …); gobeaker migrate moves them.", tree(func(s *Side, t *facts.Tree, r *report) {
				for _, f := range t.System {
					switch {
					case f.Network:
						r.add(f.Path).saying("It is a network file system (%s): whether locks hold between machines depends on how it is mounted, and its server's clock gives the files their times.", f.Kind)
					case f.Kind == "tmpfs" || f.Kind == "ramfs":
						r.add(f.Path).as(Info).saying("It is in memory (%s): a restart of the machine logs everybody out.", f.Kind)
					}
				}
			}), nil},
	}
}

// tree makes a check of directories that were looked at.
func tree(f func(s *Side, t *facts.Tree, r *report)) func(*Side, *report) {
	return func(s *Side, r *report) {
		if s.Tree != nil {
			f(s, s.Tree, r)
		}
	}
}

// open reports whether everybody has these rights to a place and gets there.
func open(p facts.Place, rights fs.FileMode) bool {
	return p.Problem == nil && p.Reachable && p.Mode.Perm()&rights == rights
}

func placeName(p facts.Place) string {
	mode := fmt.Sprintf("%04o", p.Mode.Perm())
	if p.Mode&fs.ModeSticky != 0 {
		mode += ", sticky"
	}
	return fmt.Sprintf("%s (mode %s)", p.Path, mode)
}

func checkGrowth(s *Side, t *facts.Tree, r *report) {
	at := s.at("timeout", "data_dir")
	switch {
	case t.Records >= 1000 && t.Old*2 > t.Records:
		r.add(at).saying("%d of %d records were not written for longer than timeout.", t.Old, t.Records).Count = t.Old
	case t.Old > 0:
		r.add(at).as(Info).saying("%d of %d records were not written for longer than timeout.", t.Old, t.Records).Count = t.Old
	case s.options().Timeout < 0 && t.Records >= 10_000:
		r.add(at).saying("There are %d records, some %d new or renewed a day, and no timeout after which they would have ended.", t.Records, t.PerDay).Count = t.Records
	}
}

func checkDisk(s *Side, t *facts.Tree, r *report) {
	for _, f := range t.System {
		for _, part := range []struct {
			what       string
			free, size uint64
		}{{"space", f.Free, f.Size}, {"inodes", f.FreeInodes, f.Inodes}} {
			if part.size == 0 {
				continue
			}
			share := float64(part.free) / float64(part.size)
			if share > 0.1 {
				continue
			}
			found := r.add(f.Path).saying("%.0f%% of its %s is free.", share*100, part.what)
			if share < 0.02 {
				found.as(Error)
			}
		}
	}
}
