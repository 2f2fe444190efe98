// Package doctor examines an installation before somebody else has to: its options, how
// several applications go together, and, if it may look, what is in its store and which
// Python is there. Facts are gathered first; the checks are functions from a [Subject]
// to findings and touch nothing.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities.
const (
	Info    Severity = iota // worth knowing; nothing has to be done
	Warning                 // should be changed, or watched
	Error                   // sessions are lost or forged, or can be
)

var severityNames = [...]string{"info", "warning", "error"}

// String returns "info", "warning" or "error".
func (s Severity) String() string { return severityNames[s] }

// MarshalText gives the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is what a check has found. Nothing in it is secret: no key, no session id (but
// its hash), no value of a session, no password.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`            // what is the matter, in a line
	Detail   string   `json:"detail,omitempty"` // what it is here
	// Explanation says why that matters, Remedy what to do.
	Explanation string   `json:"explanation"`
	Remedy      string   `json:"remedy"`
	Sides       []string `json:"sides,omitempty"` // the names of the sides that it is about
	Where       []string `json:"where,omitempty"` // "production.ini:12", hashes of ids
	Count       int64    `json:"count,omitempty"` // how many sessions, files …; 0 if nothing is counted
}

// Check is one of the things that the doctor looks for.
type Check struct {
	Code     string   // stable, in kebab-case: "secret-missing"
	Severity Severity // of its findings, as a rule: one may be graver or less grave
	Title    string
	// Explanation and Remedy hold for every finding.
	Explanation, Remedy string

	// One of them: it looks at each side alone, or at each two of them.
	side func(s *Side, r *report)
	pair func(a, b *Side, r *report)
}

// Side is one application: an ini with an application in it, or a gobeaker.toml.
type Side struct {
	Name      string // "production.ini#main"
	Effective *iniconf.Effective
	// Refused is why there are no options: what the loader or Beaker's coercion said. The
	// other checks pass over such a side. It shows no secret, as the errors of iniconf.
	Refused error
	// Peer is the Beaker of this application, or that a Go program writes for, as it was
	// told; auto: it was not.
	Peer compat.Peer
	// ReadOtherwise are the options that come out in another way if the ini is read as the
	// Python of the application reads it.
	ReadOtherwise []string
	// Identities name directories and files by what they are (facts.Identity), by path.
	// Without one a path stands for itself.
	Identities map[string]string
	// Go: this is the configuration of a Go program, which shares sessions with the others.
	Go bool

	facts.Facts
}

// Subject is what is examined.
type Subject struct {
	Sides []Side
	Now   time.Time
}

// Checks returns all checks. Their order is that of their findings, within a severity.
func Checks() []Check {
	return slices.Concat(loadChecks(), keyChecks(), cookieChecks(), timeChecks(), cryptoChecks(), placeChecks(), memcachedChecks(),
		optionChecks(), goChecks(), pairChecks(), pythonChecks(), storedChecks(), treeChecks())
}

// report collects the findings of one check.
type report struct {
	check Check
	now   time.Time
	sides []string // what is looked at
	found []*Finding
}

// add makes a finding, which the caller may change.
func (r *report) add(where ...string) *Finding {
	f := &Finding{Code: r.check.Code, Severity: r.check.Severity, Title: r.check.Title, Explanation: r.check.Explanation, Remedy: r.check.Remedy,
		Sides: slices.Clone(r.sides), Where: slices.Compact(where)}
	r.found = append(r.found, f)
	return f
}

// saying adds the details to a finding.
func (f *Finding) saying(format string, args ...any) *Finding {
	f.Detail = fmt.Sprintf(format, args...)
	return f
}

// sentence ends a text of somebody else's with one full stop.
func sentence(text string) string {
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// as gives a finding another severity than the check has.
func (f *Finding) as(s Severity) *Finding {
	f.Severity = s
	return f
}

// Run does the checks and returns what they found, the worst first. What is the same
// on several sides is one finding.
func Run(s Subject, checks []Check) []Finding {
	var out []Finding
	for _, c := range checks {
		r := &report{check: c, now: s.Now}
		for i := range s.Sides {
			a := &s.Sides[i]
			if c.side != nil && (a.Refused == nil || c.Code == codeRefused) {
				r.sides = []string{a.Name}
				c.side(a, r)
			}
			for j := i + 1; c.pair != nil && j < len(s.Sides); j++ {
				if b := &s.Sides[j]; a.Refused == nil && b.Refused == nil {
					r.sides = []string{a.Name, b.Name}
					c.pair(a, b, r)
				}
			}
		}
		for _, f := range r.found {
			out = merge(out, *f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return out
}

// merge adds a finding to those that say the same.
func merge(all []Finding, f Finding) []Finding {
	i := slices.IndexFunc(all, func(o Finding) bool {
		return o.Code == f.Code && o.Severity == f.Severity && o.Title == f.Title && o.Detail == f.Detail
	})
	if i < 0 {
		return append(all, f)
	}
	same := &all[i]
	same.Count = max(same.Count, f.Count)
	same.Sides, same.Where = union(same.Sides, f.Sides), union(same.Where, f.Where)
	return all
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// Select returns the checks of the codes in only, or all if that is empty, without those
// in skip. The error names a code that is none.
func Select(only, skip []string) ([]Check, error) {
	all := Checks()
	for _, code := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(all, func(c Check) bool { return c.Code == code }) {
			return nil, fmt.Errorf("doctor: there is no check %q", code)
		}
	}
	return slices.DeleteFunc(all, func(c Check) bool {
		return len(only) > 0 && !slices.Contains(only, c.Code) || slices.Contains(skip, c.Code)
	}), nil
}

// Worst returns the worst severity of findings; Info without any.
func Worst(findings []Finding) Severity {
	worst := Info
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}
