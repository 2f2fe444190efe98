// Benchgc measures gobeaker gc beside find, which removes files by their age and does
// nothing else: it looks into none, takes no locks, and unlinks lock files that
// somebody may hold.
//
//	go run ./scripts/benchgc -n 200000
//
// It makes trees of real session files, with their lock files, and gives equal ones to
// both in turns. A ratio below 1 means that gc is faster. CPU is the time of all
// processors together, which tells more where the machine is busy with other things.
// BENCHGC_WRAP="perf record -g" runs gc under a profiler.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

const day = 24 * time.Hour

// Sessions expire after expiry days without use; old ones have not been used for twice
// as long.
const expiry = 30

// scenario says how many of the sessions are old.
type scenario struct {
	name string
	old  func(n int) bool
}

var scenarios = []scenario{
	{"all expired", func(int) bool { return true }},
	{"all live", func(int) bool { return false }},
	{"half", func(n int) bool { return n%2 == 0 }},
}

func main() {
	n := flag.Int("n", 200000, "how many sessions")
	rounds := flag.Int("rounds", 3, "how often each is measured")
	dir := flag.String("dir", "", "make the trees below this directory (default: /dev/shm, or the temporary directory)")
	only := flag.String("only", "", "only the scenario of this name")
	noFind := flag.Bool("nofind", false, "measure gc alone")
	flag.Parse()
	if err := run(*n, *rounds, *dir, *only, *noFind); err != nil {
		fmt.Fprintln(os.Stderr, "benchgc:", err)
		os.Exit(1)
	}
}

func run(n, rounds int, dir, only string, noFind bool) (err error) {
	if info, e := os.Stat("/dev/shm"); dir == "" && e == nil && info.IsDir() {
		dir = "/dev/shm"
	}
	work, err := os.MkdirTemp(dir, "benchgc-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	gobeaker := filepath.Join(work, "gobeaker")
	if out, err := exec.Command("go", "build", "-o", gobeaker, "./cmd/gobeaker").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	b := bench{n: n, data: filepath.Join(work, "data"), config: filepath.Join(work, "gobeaker.toml"), gobeaker: gobeaker}
	if err := b.configure(); err != nil {
		return err
	}
	fmt.Printf("%d sessions with their lock files in %s, %d rounds\n", n, work, rounds)
	for _, s := range scenarios {
		if only == "" || only == s.name {
			if err := b.scenario(s, rounds, noFind); err != nil {
				return err
			}
		}
	}
	return nil
}

type bench struct {
	n        int
	data     string
	config   string
	gobeaker string
}

func (b *bench) configure() error {
	return os.WriteFile(b.config, fmt.Appendf(nil, "[session]\ntype = \"file\"\ndata_dir = %q\nkey = \"s\"\nsecret = \"x\"\ntimeout = %d\n", b.data, int(expiry*day/time.Second)), 0o600)
}

// scenario measures the whole data_dir, and the records alone.
func (b *bench) scenario(s scenario, rounds int, noFind bool) error {
	for _, what := range []struct {
		name string
		dir  string
		args []string
	}{
		{"records and lock files", b.data, nil},
		{"records alone", filepath.Join(b.data, "container_file"), []string{"--no-locks"}},
	} {
		find := []string{"find", what.dir, "-type", "f", "-mtime", fmt.Sprintf("+%d", expiry), "-delete"}
		gc := append([]string{b.gobeaker, "gc", "--config", b.config, "--json"}, what.args...)
		var findTimes, gcTimes []time.Duration
		var findCPU, gcCPU []time.Duration
		var rss int64
		for round := range rounds {
			for turn := range 2 {
				isGC := turn == round%2
				if !isGC && noFind {
					continue
				}
				command := find
				if isGC {
					command = gc
				}
				took, cpu, peak, err := b.measure(s, command)
				if err != nil {
					return err
				}
				if isGC {
					gcTimes, gcCPU, rss = append(gcTimes, took), append(gcCPU, cpu), max(rss, peak)
				} else {
					findTimes, findCPU = append(findTimes, took), append(findCPU, cpu)
				}
			}
		}
		g := median(gcTimes)
		fmt.Printf("%-12s %-23s gc %6.2fs (%s, CPU %.2f), peak %d MiB", s.name, what.name, g.Seconds(), spread(gcTimes), median(gcCPU).Seconds(), rss>>20)
		if !noFind {
			f := median(findTimes)
			fmt.Printf("; find %6.2fs (%s, CPU %.2f); gc/find %.2f, CPU %.2f", f.Seconds(), spread(findTimes), median(findCPU).Seconds(),
				g.Seconds()/f.Seconds(), median(gcCPU).Seconds()/median(findCPU).Seconds())
		}
		fmt.Println()
	}
	return nil
}

// measure runs a command over a fresh tree and checks what is left of the records.
func (b *bench) measure(s scenario, command []string) (took, cpu time.Duration, rss int64, err error) {
	left, err := b.tree(s)
	if err != nil {
		return 0, 0, 0, err
	}
	if wrap := os.Getenv("BENCHGC_WRAP"); wrap != "" && command[0] != "find" {
		command = append(strings.Fields(wrap), command...)
	}
	c := exec.Command(command[0], command[1:]...)
	c.Stderr = os.Stderr
	began := time.Now()
	err = c.Run()
	took = time.Since(began)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("%s: %w", command[0], err)
	}
	usage, _ := c.ProcessState.SysUsage().(*syscall.Rusage)
	found, err := filepath.Glob(b.data + "/container_file/*/*/*.cache")
	if err == nil && len(found) != left {
		err = fmt.Errorf("%s: %d records are left, not %d", command[0], len(found), left)
	}
	return took, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), usage.Maxrss << 10, errors.Join(err, os.RemoveAll(b.data))
}

// tree makes the sessions, and tells how many are not old. The bytes are those that the
// file store writes.
func (b *bench) tree(s scenario) (left int, err error) {
	if err := os.MkdirAll(b.data, 0o755); err != nil {
		return 0, err
	}
	now := time.Now()
	ages := map[bool]time.Time{false: now, true: now.Add(-2 * expiry * day)}
	var bytes [2][]byte
	for i, old := range []bool{false, true} {
		if bytes[i], err = record(ages[old]); err != nil {
			return 0, err
		}
	}
	made := map[string]bool{}
	write := func(path string, data []byte, mode os.FileMode, at time.Time) error {
		if dir := filepath.Dir(path); !made[dir] {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			made[dir] = true
		}
		if err := os.WriteFile(path, data, mode); err != nil {
			return err
		}
		return os.Chtimes(path, at, at)
	}
	for n := range b.n {
		old, id := s.old(n), fmt.Sprintf("%08x4efb206494191440c2cc28cb", uint32(n)*2654435761)
		data := bytes[0]
		if old {
			data = bytes[1]
		} else {
			left++
		}
		if err := write(b.data+"/container_file/"+beakerfmt.DataPath(id), data, 0o666, ages[old]); err != nil {
			return 0, err
		}
		if err := write(b.data+"/container_file_lock/"+beakerfmt.LockPath(id), nil, 0o777, ages[old]); err != nil {
			return 0, err
		}
	}
	return left, nil
}

// record returns the bytes of a session that was last used then.
func record(at time.Time) ([]byte, error) {
	dir, err := os.MkdirTemp("", "benchgc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	store, err := filestore.New(filestore.Options{DataDir: dir})
	if err != nil {
		return nil, err
	}
	o := compat.Defaults()
	o.Peer = compat.Peer{Major: 1, Minor: 13, Python: 3}
	m, err := compat.New(o, store, compat.Environment{})
	if err != nil {
		return nil, err
	}
	v, err := m.Encode(session(at), beakerfmt.Form{})
	if err != nil {
		return nil, err
	}
	const id = "1e4c684fb206494191440c2cc28cbc22"
	if err := store.Put(context.Background(), id, v); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "container_file", beakerfmt.DataPath(id)))
}

// session is what an application of middling habits keeps.
func session(at time.Time) *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("_accessed_time", pyvalue.Float(float64(at.UnixNano())/1e9))
	d.SetStr("_creation_time", pyvalue.Float(float64(at.UnixNano())/1e9))
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", pyvalue.Str("/"))
	d.SetStr("user_id", pyvalue.NewInt(123456))
	d.SetStr("user_name", pyvalue.Str("somebody@example.org"))
	d.SetStr("_authentication_token", pyvalue.Str("219481028379486120984610928365019283"))
	d.SetStr("lang", pyvalue.Str("en"))
	d.SetStr("cart", pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewInt(2), pyvalue.NewInt(3)))
	return d
}

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

func spread(all []time.Duration) string {
	return fmt.Sprintf("%.2f–%.2f", slices.Min(all).Seconds(), slices.Max(all).Seconds())
}
