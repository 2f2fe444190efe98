package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// leastGarbage is how much garbage there is at least before it is collected. Go collects
// when there is as much as there is in use, which is little in a server whose memory is
// its requests': each few hundred of them would pay for a collection.
const leastGarbage = 32 << 20

// maxPercent bounds what [collector] asks for. With it, the least heap that Go collects at
// all, 4 MiB at 100, is leastGarbage.
const maxPercent = 800

// collector sets the percentage at which garbage is collected after each collection: 100,
// Go's own, where leastGarbage is in use or more. [limits] memory goes before it.
type collector struct {
	sample  []metrics.Sample
	percent int
}

// collectLater starts a collector, unless GOGC says what is wanted.
func collectLater() {
	if _, ok := os.LookupEnv("GOGC"); ok {
		return
	}
	c := &collector{sample: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
	c.set()
	c.follow()
}

// follow has set called after the next collection, and so on: what nobody points to goes
// with it.
func (c *collector) follow() {
	sentinel := new([64]byte) // smaller ones share their memory
	runtime.AddCleanup(sentinel, func(c *collector) {
		c.set()
		c.follow()
	}, c)
}

func (c *collector) set() {
	metrics.Read(c.sample)
	var used uint64
	for _, s := range c.sample {
		used += s.Value.Uint64()
	}
	if p := percentFor(used); p != c.percent {
		c.percent = p
		debug.SetGCPercent(p)
	}
}

// percentFor is the percentage for so many bytes in use. It is in steps: to change it
// stops the program for a moment.
func percentFor(used uint64) int {
	percent := 100
	for percent < maxPercent && used*uint64(percent)/100 < leastGarbage {
		percent *= 2
	}
	return percent
}
