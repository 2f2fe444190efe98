package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// subject is one of those that are measured.
type subject struct {
	name    string
	process *process
	target
	samples []sample
	floor   *subject // which it is compared with; nil: the first one
}

// sample is what a subject did in one round.
type sample struct {
	rate     float64       // requests in a second
	p50, p99 time.Duration // for the answer
	cpu      time.Duration // of the subject's processes, for each request
}

// measure has every subject measured in every round, in another order each time, so that
// what else goes on in the machine falls on all of them.
func (b *bench) measure(subjects []*subject) error {
	for round := range b.rounds + 1 {
		for i := range subjects {
			s := subjects[(i+round)%len(subjects)]
			got, err := b.sample(s)
			for again := 0; errors.Is(err, errNoAnswer) && again < 3; again++ { // the machine was elsewhere
				got, err = b.sample(s)
			}
			if err != nil {
				return fmt.Errorf("%s: %w: %s", s.name, err, s.process.said())
			}
			if round > 0 { // the first one warms up
				s.samples = append(s.samples, got)
			}
		}
	}
	return nil
}

var errNoAnswer = errors.New("there was no answer in a whole slice")

// warmUp is how long each load runs before it counts: connections are made.
const warmUp = 150 * time.Millisecond

func (b *bench) sample(s *subject) (sample, error) {
	var cpu []time.Duration
	l, err := closedLoop(&s.target, b.connections, warmUp, b.slice, func() error {
		t, err := s.process.cpu()
		cpu = append(cpu, t)
		return err
	})
	if err != nil {
		return sample{}, err
	}
	if l.requests == 0 {
		return sample{}, errNoAnswer
	}
	return sample{
		rate: l.rate(), p50: l.percentile(0.5), p99: l.percentile(0.99), cpu: (cpu[1] - cpu[0]) / time.Duration(l.requests),
	}, nil
}

// report prints, of each subject, the best round and the median, and how these are to the
// floor's: the ratio of the bests, and the median of the ratios within each round.
// What else goes on in the machine makes rounds worse, never better.
func report(subjects []*subject) {
	fmt.Printf("%-38s %15s %9s %9s %9s   %-12s %-12s %-6s\n", "", "req/s, median", "CPU µs", "p50 ms", "p99 ms", "req/s ratio", "CPU ratio", "p99")
	rate := func(s sample) float64 { return s.rate }
	cpu := func(s sample) float64 { return float64(s.cpu) / 1e3 }
	p50 := func(s sample) float64 { return float64(s.p50) / 1e6 }
	p99 := func(s sample) float64 { return float64(s.p99) / 1e6 }
	for _, s := range subjects {
		first := subjects[0].samples
		if s.floor != nil {
			first = s.floor.samples
		}
		rates, cpus := each(s.samples, rate), each(s.samples, cpu)
		fmt.Printf("%-38s %7.0f %7.0f %9.1f %9.2f %9.2f   %5.2f (%.2f) %5.2f (%.2f) %5.2f\n", s.name,
			slices.Max(rates), median(rates), slices.Min(cpus), median(each(s.samples, p50)), median(each(s.samples, p99)),
			slices.Max(rates)/slices.Max(each(first, rate)), median(over(s.samples, first, rate)),
			slices.Min(cpus)/slices.Min(each(first, cpu)), median(over(s.samples, first, cpu)),
			median(over(s.samples, first, p99)))
	}
}

func each(all []sample, f func(sample) float64) (out []float64) {
	for _, x := range all {
		out = append(out, f(x))
	}
	return out
}

// over returns the ratios within each round.
func over(all, first []sample, f func(sample) float64) (out []float64) {
	for i, x := range all {
		out = append(out, f(x)/f(first[i]))
	}
	return out
}

func median(all []float64) float64 {
	all = slices.Clone(all)
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// title prints what follows.
func title(text string) { fmt.Printf("\n%s\n", text) }
