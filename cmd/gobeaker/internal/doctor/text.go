package doctor

import (
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
)

// Outcome is what an examination came to, as --json prints it.
type Outcome struct {
	LookedAt []Looked  `json:"looked_at"`
	Findings []Finding `json:"findings"`
	Summary  Summary   `json:"summary"`
}

// Looked is a side and what was found out about it.
type Looked struct {
	Name      string        `json:"name"`
	Refused   bool          `json:"refused,omitempty"`
	Framework string        `json:"framework,omitempty"`
	Type      string        `json:"type,omitempty"`
	Peer      string        `json:"peer,omitempty"`
	Sample    *facts.Sample `json:"sample,omitempty"`
	Python    *facts.Probe  `json:"python,omitempty"`
	Clocks    *facts.Clocks `json:"clocks,omitempty"`
	Tree      *facts.Tree   `json:"tree,omitempty"`
}

// Summary counts findings, and says how many checks were done.
type Summary struct {
	Checks   int `json:"checks"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
}

// NewOutcome puts together what was looked at and found, with so many checks.
func NewOutcome(s Subject, findings []Finding, checks int) Outcome {
	out := Outcome{Findings: findings, Summary: Summary{Checks: checks}}
	if findings == nil {
		out.Findings = []Finding{}
	}
	for i := range s.Sides {
		side := &s.Sides[i]
		l := Looked{Name: side.Name, Refused: side.Refused != nil, Sample: side.Sample, Python: side.Python, Clocks: side.Clocks, Tree: side.Tree}
		if side.Refused == nil {
			l.Type, l.Peer = clip(side.kind()), side.peerName()
			if side.Effective.Config != nil {
				l.Framework = side.Effective.Framework.String()
			}
		}
		out.LookedAt = append(out.LookedAt, l)
	}
	for _, f := range findings {
		switch f.Severity {
		case Error:
			out.Summary.Errors++
		case Warning:
			out.Summary.Warnings++
		case Info:
			out.Summary.Infos++
		}
	}
	return out
}

// lineWidth is how long lines of text may be.
const lineWidth = 96

// Text is the outcome for people: what was looked at, the findings by severity, a
// summary in the last line. Brief leaves a line for each finding.
func (o Outcome) Text(brief bool) string {
	var b strings.Builder
	if !brief {
		for _, l := range o.LookedAt {
			b.WriteString(l.text())
		}
	}
	last := -1
	for i, f := range o.Findings {
		if brief {
			fmt.Fprintf(&b, "%-7s  %s  %s", f.Severity, f.Code, f.Title)
			if len(f.Where) > 0 {
				fmt.Fprintf(&b, "  (%s)", someOf(f.Where))
			}
			b.WriteString("\n")
			continue
		}
		if int(f.Severity) != last {
			last = int(f.Severity)
			fmt.Fprintf(&b, "\n%s\n", [...]string{"INFO", "WARNINGS", "ERRORS"}[f.Severity])
		}
		if i+1 < len(o.Findings) && o.Findings[i+1].alike(&f) {
			b.WriteString(f.text(i > 0 && o.Findings[i-1].alike(&f), false))
			continue
		}
		b.WriteString(f.text(i > 0 && o.Findings[i-1].alike(&f), true))
	}
	if !brief {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s, %s, %d info, of %s\n", number(o.Summary.Errors, "error"), number(o.Summary.Warnings, "warning"), o.Summary.Infos, number(o.Summary.Checks, "check"))
	return b.String()
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// alike: two findings have the same explanation, which is then told once, after both.
func (f *Finding) alike(o *Finding) bool {
	return f.Code == o.Code && f.Severity == o.Severity && f.Title == o.Title && f.Explanation == o.Explanation && f.Remedy == o.Remedy
}

// text is a finding in lines. Again: one that is alike stands above it; last: none follows.
func (f *Finding) text(again, last bool) string {
	var b strings.Builder
	if !again {
		fmt.Fprintf(&b, "\n  %s  %s\n", f.Code, f.Title)
	}
	if len(f.Where) > 0 {
		b.WriteString(wrap("at ", strings.Join(f.Where, ", "), 4))
	}
	if f.Detail != "" {
		b.WriteString(wrap("", f.Detail, 4))
	}
	if !last {
		return b.String()
	}
	b.WriteString(wrap("", f.Explanation, 4))
	b.WriteString(wrap("To do: ", f.Remedy, 4))
	return b.String()
}

// peerName is who the peer is. A Go program with auto writes for nobody in particular,
// whoever was asked.
func (s *Side) peerName() string {
	name := s.writesFor().String()
	if s.Go && s.Peer.IsAuto() && !s.peer().IsAuto() {
		name += fmt.Sprintf(" (the Python that was asked is %s)", s.peer())
	}
	return name
}

// text says in a few lines what is known of a side.
func (l *Looked) text() string {
	var parts []string
	if l.Refused {
		parts = append(parts, "refused")
	} else {
		parts = append(parts, "type "+l.Type, "peer "+l.Peer)
		if l.Framework != "" {
			parts = append(parts, "framework "+l.Framework)
		}
	}
	text := wrap("", l.Name+": "+strings.Join(parts, ", "), 0)
	if p := l.Sample; p != nil && (p.Problem == nil || p.Listed > 0) {
		of := fmt.Sprintf("%d of %d sessions were read", p.Looked, p.Listed)
		if !p.Complete {
			of = fmt.Sprintf("%d of more than %d sessions were read", p.Looked, p.Listed)
		}
		text += wrap("", p.Where+": "+of, 4)
	}
	if p := l.Python; p != nil && p.Problem == nil {
		says := []string{"Python " + p.Python}
		if p.Beaker != "" {
			says = append(says, "Beaker "+p.Beaker)
		}
		if p.Takes != "" {
			says = append(says, "AES by "+p.Takes)
		}
		if t := p.Trip; t != nil && t.ToGo.OK && t.ToPython.OK {
			says = append(says, "a session went both ways")
		}
		text += wrap("", p.Exe+": "+strings.Join(says, ", "), 4)
	}
	return text
}

// wrap breaks a text into lines, all of them indented.
func wrap(lead, text string, indent int) string {
	var b strings.Builder
	space := strings.Repeat(" ", indent)
	line := space + lead
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > lineWidth {
			b.WriteString(line + "\n")
			line, empty = space, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(line + "\n")
	return b.String()
}

// List is what --list prints: the code, the usual severity and the title of checks.
func List(checks []Check) string {
	var b strings.Builder
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Code))
	}
	for _, c := range checks {
		fmt.Fprintf(&b, "%-*s  %-7s  %s\n", width, c.Code, c.Severity, c.Title)
	}
	return b.String()
}

// Listed is a check as --list --json prints it.
type Listed struct {
	Code        string   `json:"code"`
	Severity    Severity `json:"severity"`
	Title       string   `json:"title"`
	Explanation string   `json:"explanation"`
	Remedy      string   `json:"remedy"`
}

// Listing is for --list --json.
func Listing(checks []Check) []Listed {
	out := make([]Listed, 0, len(checks))
	for _, c := range checks {
		out = append(out, Listed{c.Code, c.Severity, c.Title, c.Explanation, c.Remedy})
	}
	return out
}
