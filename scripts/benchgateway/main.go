// Command benchgateway measures gobeaker serve beside others in one run, each in a process
// of its own, by the same clients, in interleaved rounds:
//
//   - the gateway beside a bare httputil.ReverseProxy with the same transport: without
//     sessions, and with one identity header out of sessions in files, in Redis and in
//     cookies;
//   - forward-auth beside the same check by a WSGI application with Beaker under gunicorn,
//     and beside oauth2-proxy with its own cookie sessions;
//   - with -soak, the memory of the gateway under a steady load.
//
// Use:
//
//	go run ./scripts/benchgateway
//	go run ./scripts/benchgateway -only gateway -behind python -rounds 20
//	go run ./scripts/benchgateway -soak 5m
//
// It runs on Linux. redis-server is taken from the PATH, gunicorn from the environment that
// scripts/setup-peers makes, oauth2-proxy is built from the module scripts/oauth2proxy; what
// is not there is left out, and said.
//
// Everything shares the processors, as on a machine of its own it would; with -divide the
// subjects have half of them and the clients, the application behind and Redis the other
// half, so that the subject alone limits how many requests go through. CPU is the processor
// time that the subject takes for each request. Of rates and CPU the best round is printed,
// and in parentheses the median; of waits the median.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("benchgateway: ")
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 15, "how many rounds are measured")
	flag.DurationVar(&b.slice, "slice", 500*time.Millisecond, "how long a subject is measured in each")
	flag.IntVar(&b.connections, "connections", 16, "how many clients there are, each with one request at a time")
	flag.IntVar(&b.sessions, "sessions", 0, "how many sessions there are (default 200; 10000 with -soak)")
	flag.StringVar(&b.only, "only", "", "gateway or auth: only that")
	flag.StringVar(&b.match, "match", "", "of the gateways only those whose name matches this regular expression")
	flag.StringVar(&b.gobeaker, "gobeaker", "", "the binary that is measured (default: built from here)")
	flag.StringVar(&b.behind, "behind", "service", "the application behind: service, which does nothing, by net/http; least, which knows just enough of HTTP to answer at all; or python, with Beaker under gunicorn")
	flag.BoolVar(&b.divide, "divide", false, "give the subjects processors of their own")
	flag.DurationVar(&b.soak, "soak", 0, "only watch the memory of the gateway, for so long")
	flag.BoolVar(&b.pprof, "pprof", false, "switch pprof on, and print where")
	as := flag.Bool("part", false, "be the part of the measurement that is named")
	flag.Parse()
	err := error(nil)
	if *as {
		err = part(flag.Args())
	} else {
		err = b.run()
	}
	if err != nil {
		log.Fatal(err)
	}
}

// bench is one run.
type bench struct {
	rounds, connections, sessions int
	slice, soak                   time.Duration
	only, match, behind, gobeaker string
	divide, pprof                 bool

	dir      string
	self     string
	subjects starter // on their processors
	others   starter
	running  []*process

	processors int // that a subject has
}

func (b *bench) run() (err error) {
	if b.dir, err = os.MkdirTemp("", "benchgateway-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.self, err = self(); err != nil {
		return err
	}
	if b.gobeaker == "" {
		b.gobeaker = filepath.Join(b.dir, "gobeaker")
		if out, err := exec.Command("go", "build", "-o", b.gobeaker, "./cmd/gobeaker").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	if b.gobeaker, err = filepath.Abs(b.gobeaker); err != nil {
		return err
	}
	var mine, theirs processors
	if b.divide {
		if theirs, mine, err = divide(); err != nil {
			return err
		}
		if err := mine.keepTo(); err != nil {
			return err
		}
	}
	if b.processors = len(theirs); theirs == nil {
		b.processors = runtime.NumCPU()
	}
	b.subjects, b.others = newStarter(theirs), newStarter(mine)
	defer func() {
		for _, p := range b.running {
			p.stop()
		}
	}()
	switch {
	case b.soak > 0:
		return b.runSoak()
	case b.only != "" && b.only != "gateway" && b.only != "auth":
		return fmt.Errorf("-only is gateway or auth")
	case !slices.Contains([]string{"service", "least", "python"}, b.behind):
		return fmt.Errorf("-behind is service, least or python")
	}
	where := "all on the same processors"
	if b.divide {
		where = fmt.Sprintf("subjects on %d of %d processors", len(theirs), len(theirs)+len(mine))
	}
	fmt.Printf("%d rounds of %v, %d clients, %d sessions, %s\n", b.rounds, b.slice, b.connections, b.howMany(200), where)
	if b.only != "auth" {
		if err := b.gatewayPart(); err != nil {
			return err
		}
	}
	if b.only != "gateway" {
		return b.authPart()
	}
	return nil
}

func (b *bench) howMany(sessions int) int {
	if b.sessions > 0 {
		return b.sessions
	}
	return sessions
}

// keep has a process stopped at the end.
func (b *bench) keep(p *process) *process {
	b.running = append(b.running, p)
	return p
}

// startOrigin starts the application behind the proxies and returns its address.
func (b *bench) startOrigin(k *kept) (string, error) {
	part := partService
	switch b.behind {
	case "python":
		_, address, err := b.gunicorn(b.others, "the application", k, applicationKey, true, "gthread", "--threads", "8", "--keep-alive", "75")
		return address, err
	case "least":
		part = partLeast
	}
	p, told, err := b.others.startTold(b.dir, "the application", 1, b.self, "-part", part)
	if err != nil {
		return "", err
	}
	b.keep(p)
	return told[0], nil
}

// startGobeaker starts gobeaker serve with a configuration and returns the addresses of
// what it says that it serves, by name ("serving", "admin", "forward-auth").
func (b *bench) startGobeaker(name, config string, places int) (*process, map[string]string, error) {
	dir, err := os.MkdirTemp(b.dir, "configuration-")
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(dir, "gobeaker.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, nil, err
	}
	p, told, err := b.subjects.startTold(b.dir, name, places, b.gobeaker, "serve", "--config", file)
	if err != nil {
		return nil, nil, err
	}
	b.keep(p)
	at := map[string]string{}
	for _, line := range told {
		line = strings.TrimPrefix(line, "gobeaker: ")
		what, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimPrefix(rest, "at ")
		_, address, _ := strings.Cut(rest, "://")
		address, _, _ = strings.Cut(address, "/")
		at[what] = address
	}
	return p, at, nil
}
