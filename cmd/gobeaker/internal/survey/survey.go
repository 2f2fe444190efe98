// Package survey counts what a store of sessions holds, in memory that does not grow
// with it.
package survey

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

// mostNames bounds how many classes and writers are told apart.
const mostNames = 10_000

// others is the name of those beyond.
const others = "(others)"

// Record is what is known of a record.
type Record struct {
	Size     int64
	Accessed time.Time // zero if it does not tell
	State    string    // "live", "expired", "empty", "unreadable"
	Decoded  *inspect.Decoded
}

// Survey is what was counted. Add to it one record after the other.
type Survey struct {
	Sessions    int64            `json:"sessions"`
	Bytes       int64            `json:"bytes"`
	States      map[string]int64 `json:"states"`
	Forms       map[string]int64 `json:"forms"`
	Serializers map[string]int64 `json:"serializers"`
	Writers     map[string]int64 `json:"writers"`
	Classes     map[string]int64 `json:"classes"` // sessions that name them
	Size        Sizes            `json:"size"`
	Ages        []Age            `json:"ages"`
	Errors      int64            `json:"errors"`

	sizes buckets
}

// Sizes are quantiles of sizes in bytes, up to a few percent; Most is exact.
type Sizes struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	Most int64 `json:"max"`
}

// Age counts sessions by the time since they were last accessed.
type Age struct {
	Name     string `json:"since"`
	Sessions int64  `json:"sessions"`
	within   time.Duration
}

// New returns an empty survey.
func New() *Survey {
	return &Survey{
		States: map[string]int64{}, Forms: map[string]int64{}, Serializers: map[string]int64{},
		Writers: map[string]int64{}, Classes: map[string]int64{},
		Ages: []Age{
			{Name: "a minute", within: time.Minute}, {Name: "10 minutes", within: 10 * time.Minute}, {Name: "an hour", within: time.Hour},
			{Name: "6 hours", within: 6 * time.Hour}, {Name: "a day", within: 24 * time.Hour}, {Name: "a week", within: 7 * 24 * time.Hour},
			{Name: "30 days", within: 30 * 24 * time.Hour}, {Name: "a year", within: 365 * 24 * time.Hour},
			{Name: "longer", within: math.MaxInt64}, {Name: "not known"},
		},
	}
}

// Add counts a record.
func (s *Survey) Add(r Record, now time.Time) {
	s.Sessions++
	s.Bytes += r.Size
	s.sizes.add(r.Size)
	s.States[r.State]++
	s.age(r.Accessed, now)
	d := r.Decoded
	if d == nil {
		return
	}
	s.Forms[inspect.Kind(d.Form)]++
	s.Serializers[d.Form.Serializer.String()]++
	count(s.Writers, d.Writer(inspect.InFile).String())
	for _, name := range d.ClassNames() {
		count(s.Classes, name)
	}
}

func count(in map[string]int64, name string) {
	if _, known := in[name]; !known && len(in) >= mostNames {
		name = others
	}
	in[name]++
}

func (s *Survey) age(accessed, now time.Time) {
	i := len(s.Ages) - 1
	if !accessed.IsZero() {
		age := now.Sub(accessed)
		i = slices.IndexFunc(s.Ages, func(a Age) bool { return age <= a.within })
	}
	s.Ages[i].Sessions++
}

// Finish fills in what is only known at the end.
func (s *Survey) Finish() {
	s.Size = Sizes{P50: s.sizes.quantile(0.5), P90: s.sizes.quantile(0.9), P99: s.sizes.quantile(0.99), Most: s.sizes.most}
}

// Top returns the names of a count, the most frequent first.
func Top(of map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
}

// Bytes writes a size for people.
func Bytes(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
