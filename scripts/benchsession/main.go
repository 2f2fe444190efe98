// Command benchsession compares gobeaker with Beaker on the same directory of
// file sessions, in one run: loading a session, and loading, changing and
// saving it. The floor of both is measured beside them: the same system calls
// made directly, with the decoding and encoding that there has to be.
//
//	go run ./scripts/benchsession -python PATH
//
// PATH is a Python that has Beaker; the newest environment of
// scripts/setup-peers with Beaker 1.13 is taken if it is left out. The figures
// are the best of several rounds and depend on the machine; the ratio is what
// counts.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const secret = "sekrit"

func main() {
	log.SetFlags(0)
	log.SetPrefix("benchsession: ")
	python := flag.String("python", "", "a Python that has Beaker")
	sessions := flag.Int("sessions", 200, "how many sessions there are")
	rounds := flag.Int("rounds", 20, "how many rounds are measured")
	flag.Parse()
	if err := run(*python, *sessions, *rounds); err != nil {
		log.Fatal(err)
	}
}

func run(python string, sessions, rounds int) error {
	if python == "" {
		var err error
		if python, err = beaker113(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "benchsession")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newBench(dir, sessions)
	if err != nil {
		return err
	}
	theirs, err := b.python(python, rounds)
	if err != nil {
		return err
	}
	fmt.Printf("%-20s %10s %10s %10s %16s %14s\n", "µs for a session", "Beaker", "gobeaker", "floor", "Beaker/gobeaker", "gobeaker/floor")
	for _, row := range []struct {
		name        string
		beaker      float64
		ours, floor func(string) error
	}{
		{"load", theirs["load"], b.load, b.bareLoad},
		{"load, change, save", theirs["save"], b.save, b.bareSave},
	} {
		ours, floor, err := b.best(row.ours, row.floor, rounds)
		if err != nil {
			return err
		}
		fmt.Printf("%-20s %10.1f %10.1f %10.1f %15.1fx %13.2fx\n", row.name, row.beaker/1e3, ours/1e3, floor/1e3, row.beaker/ours, ours/floor)
	}
	return nil
}

// beaker113 finds the environment with Beaker 1.13 on the newest Python 3.
func beaker113() (string, error) {
	venvs, _ := peers.Load()
	for _, v := range venvs {
		if v.Beaker == "1.13.0" && !v.Python2() {
			return v.Exe, nil
		}
	}
	return "", errors.New("no environment with Beaker 1.13: run scripts/setup-peers, or give -python")
}

// bench has a manager and the Cookie headers of its sessions.
type bench struct {
	manager *compat.Manager
	options map[string]any // the same for Beaker
	headers []string
	dataDir string
}

func newBench(dir string, sessions int) (*bench, error) {
	o := compat.Defaults()
	o.Secret = secret
	o.DataDir = filepath.Join(dir, "sessions")
	store, err := backend.Open(o)
	if err != nil {
		return nil, err
	}
	m, err := compat.New(o, store, compat.Environment{})
	if err != nil {
		return nil, err
	}
	b := &bench{manager: m, dataDir: o.DataDir, options: map[string]any{"type": "file", "data_dir": o.DataDir, "secret": secret}}
	for range sessions {
		header, err := b.login()
		if err != nil {
			return nil, err
		}
		b.headers = append(b.headers, header)
	}
	return b, nil
}

// login makes a session such as a typical application has.
func (b *bench) login() (string, error) {
	o := b.manager.Open("")
	s, err := o.Session(context.Background())
	if err != nil {
		return "", err
	}
	for key, v := range map[string]any{
		"user_id": 4711, "username": "eve@example.org", "roles": []string{"editor", "user"},
		"_authentication_token": "129348719283471982374918237491823749182", "flash": []any{}, "lang": "fr",
	} {
		if err := s.Set(key, v); err != nil {
			return "", err
		}
	}
	s.Save()
	if err := o.Persist(context.Background()); err != nil {
		return "", err
	}
	return "beaker.session.id=" + string(beakerfmt.AppendSigned(nil, []byte(secret), s.ID())), nil
}

func (b *bench) load(header string) error {
	s, err := b.manager.Open(header).Session(context.Background())
	if err != nil {
		return err
	}
	if id, ok := compat.Get[int](s, "user_id"); !ok || id != 4711 {
		return errors.New("the session is not as it was written")
	}
	return nil
}

func (b *bench) save(header string) error {
	o := b.manager.Open(header)
	s, err := o.Session(context.Background())
	if err != nil {
		return err
	}
	n, _ := compat.Get[int](s, "n")
	if err := s.Set("n", n+1); err != nil {
		return err
	}
	s.Save()
	return o.Persist(context.Background())
}

// best returns the nanoseconds that two ways to work take for one session, in
// the best of the rounds, which they take in turns.
func (b *bench) best(work, other func(string) error, rounds int) (float64, float64, error) {
	best := [2]float64{math.Inf(1), math.Inf(1)}
	for range rounds {
		for i, f := range []func(string) error{work, other} {
			begin := time.Now()
			for _, header := range b.headers {
				if err := f(header); err != nil {
					return 0, 0, err
				}
			}
			best[i] = min(best[i], float64(time.Since(begin).Nanoseconds())/float64(len(b.headers)))
		}
	}
	return best[0], best[1], nil
}

// python lets Beaker do the same.
func (b *bench) python(exe string, rounds int) (map[string]float64, error) {
	options, err := json.Marshal(b.options)
	if err != nil {
		return nil, err
	}
	var in, stderr bytes.Buffer
	for _, header := range b.headers {
		in.WriteString(header + "\n")
	}
	cmd := exec.Command(exe, filepath.Join("scripts", "benchsession", "beaker_side.py"), string(options), fmt.Sprint(rounds))
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("Beaker's side: %w\n%s", err, &stderr) //nolint:staticcheck // a name
	}
	times := map[string]float64{}
	return times, json.Unmarshal(out, &times)
}
