// Command benchsession compares gobeaker with Beaker on the same sessions, in
// one run: verifying the signature of a cookie, loading a session, and loading,
// changing and saving it; for sessions in files, and for cookie-only ones as JSON
// and as an encrypted pickle. The floor is measured beside them: for files the
// same system calls made directly, with the decoding and encoding that there has
// to be; for cookies the primitives alone (HMAC, base64, PBKDF2, AES, zlib) and one
// pass over the bytes.
//
//	go run ./scripts/benchsession -python PATH
//
// PATH is a Python that has Beaker and pycryptodome; the newest environment of
// scripts/setup-peers with Beaker 1.13 is taken if it is left out. The figures
// are the best of several rounds and depend on the machine; the ratio is what
// counts. Beaker makes the new cookie of a cookie-only session as soon as it is
// loaded, so its load is half a save.
package main

import (
	"bytes"
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

	"github.com/gobeaker/gobeaker/scripts/peers"
)

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
	fmt.Printf("%-36s %9s %9s %9s %16s %15s\n", "µs for a session", "Beaker", "gobeaker", "floor", "Beaker/gobeaker", "gobeaker/floor")
	for _, s := range subjects(dir) {
		if err := s.prepare(sessions); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		theirs, err := s.inPython(python, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		for _, task := range s.tasks {
			ours, floor, err := best(task, s.headers, rounds)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", s.name, task.name, err)
			}
			beaker := theirs[task.name]
			fmt.Printf("%-36s %9.1f %9.1f %9.1f %15.1fx %14.2fx\n", s.name+": "+task.name, beaker/1e3, ours/1e3, floor/1e3, beaker/ours, ours/floor)
		}
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

// task is something that is done with the session of a Cookie header, and the
// least that this can cost.
type task struct {
	name        string // as beaker_side.py calls it
	ours, floor func(header string) error
}

// best returns the nanoseconds that a task and its floor take for one session,
// in the best of the rounds, which they take in turns.
func best(t task, headers []string, rounds int) (float64, float64, error) {
	best := [2]float64{math.Inf(1), math.Inf(1)}
	for range rounds {
		for i, f := range []func(string) error{t.ours, t.floor} {
			begin := time.Now()
			for _, header := range headers {
				if err := f(header); err != nil {
					return 0, 0, err
				}
			}
			best[i] = min(best[i], float64(time.Since(begin).Nanoseconds())/float64(len(headers)))
		}
	}
	return best[0], best[1], nil
}

// inPython lets Beaker do the same.
func (s *subject) inPython(exe string, rounds int) (map[string]float64, error) {
	options, err := json.Marshal(s.forPython())
	if err != nil {
		return nil, err
	}
	var in, stderr bytes.Buffer
	for _, header := range s.headers {
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
