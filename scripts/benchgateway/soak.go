package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reading is the gateway's state at one moment.
type reading struct {
	resident, heap    float64 // MiB
	goroutines, files float64
}

// runSoak watches the memory of a gateway with identity out of sessions in files, which it
// keeps decoded, too, under the load of all clients.
func (b *bench) runSoak() error {
	sessions := b.howMany(10_000)
	kinds, err := keepers(b.dir, "", sessions)
	if err != nil {
		return err
	}
	origin, err := b.startOrigin(kinds[kindFile])
	if err != nil {
		return err
	}
	k := kinds[kindFile]
	config, places := variant{cache: true}.config(b, k, origin)
	p, at, err := b.startGobeaker("soak", config, places)
	if err != nil {
		return err
	}
	fmt.Printf("%v of load by %d clients, %d sessions in files, cache_time 1s\n", b.soak, b.connections, sessions)
	fmt.Printf("%8s %12s %12s %12s %8s\n", "", "RSS MiB", "heap MiB", "goroutines", "files")
	var readings []reading
	failed, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		begin := time.Now()
		for next := begin.Add(time.Second); time.Since(begin) < b.soak; next = next.Add(time.Second) {
			time.Sleep(time.Until(next))
			r, err := read(p, at["admin"])
			if err != nil {
				failed <- err
				return
			}
			readings = append(readings, r)
			if n := len(readings); n%30 == 0 || n == 1 {
				fmt.Printf("%7ds %12.1f %12.1f %12.0f %8.0f\n", n, r.resident, r.heap, r.goroutines, r.files)
			}
		}
	}()
	t := target{address: at["serving"], status: 200, requests: requests("/shop/cart?item=1", k.cookies)}
	l, err := closedLoop(&t, b.connections, warmUp, b.soak, func() error { return nil })
	if err != nil {
		return fmt.Errorf("%w: %s", err, p.said())
	}
	<-over
	select {
	case err := <-failed:
		return err
	default:
	}
	minute := min(60, len(readings)/2)
	if minute == 0 {
		return fmt.Errorf("-soak is at least two seconds")
	}
	first, last := readings[:minute], readings[len(readings)-minute:]
	fmt.Printf("\n%d requests, %.0f in a second; medians of the first and of the last %d s:\n", l.requests, l.rate(), minute)
	for _, m := range []struct {
		name string
		of   func(reading) float64
	}{
		{"RSS MiB", func(r reading) float64 { return r.resident }},
		{"heap MiB", func(r reading) float64 { return r.heap }},
		{"goroutines", func(r reading) float64 { return r.goroutines }},
		{"open files", func(r reading) float64 { return r.files }},
	} {
		a, z := median(values(first, m.of)), median(values(last, m.of))
		fmt.Printf("%-12s %8.1f -> %8.1f  (%+.1f %%)\n", m.name, a, z, 100*(z/a-1))
	}
	return nil
}

func values(all []reading, of func(reading) float64) (out []float64) {
	for _, r := range all {
		out = append(out, of(r))
	}
	return out
}

// read asks the system and the gateway's own metrics.
func read(p *process, admin string) (reading, error) {
	resident, files, err := p.memory()
	if err != nil {
		return reading{}, err
	}
	r := reading{resident: float64(resident) / (1 << 20), files: float64(files)}
	resp, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		return reading{}, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		v, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
		case name == "go_goroutines":
			r.goroutines = v
		case name == "go_memstats_heap_inuse_bytes":
			r.heap = v / (1 << 20)
		}
	}
	return r, lines.Err()
}
