package inspector

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
)

// overviewData is what the overview shows.
type overviewData struct {
	Facts   []fact
	Groups  []group
	Refresh int // seconds; 0: not
	Now     time.Time
}

// group are the metrics of one part of the server.
type group struct {
	Name    string
	Metrics []metric
}

type metric struct {
	Name, Help string
	Values     []value
}

type value struct{ Labels, Text string }

// refreshes are how often the overview may be asked to come again, in seconds.
var refreshes = []int{5, 30}

func (i *inspector) overview(w http.ResponseWriter, r *http.Request, v visitor) {
	d := overviewData{Now: i.Now()}
	if n, err := strconv.Atoi(r.URL.Query().Get("refresh")); err == nil && slices.Contains(refreshes, n) {
		d.Refresh = n
		// Only who asked for it gets it: nobody's reading is interrupted.
		w.Header().Set("Refresh", strconv.Itoa(n))
	}
	d.Facts = i.facts(r.Context())
	if i.Numbers != nil {
		d.Groups = groups(i.Numbers(), i.Now())
	}
	i.render(w, r, v, http.StatusOK, "overview", "Overview", d, "")
}

// facts are how sessions are kept, without secrets.
func (i *inspector) facts(ctx context.Context) []fact {
	o := i.Manager.Options()
	facts := []fact{i.health(ctx)}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	if n, more, known := i.count(ctx); known {
		text := number(n)
		if more {
			text = "more than " + text
		}
		facts = append(facts, fact{Name: "Records in it", Text: text})
	}
	timeout := "none"
	if o.Timeout != compat.NoTimeout {
		timeout = span(o.Timeout) + " without use"
	}
	encrypted := "no"
	if o.EncryptKey != "" {
		encrypted = "yes" + olders(len(o.OldEncryptKeys))
	}
	signed := "no: there is no secret"
	switch {
	case i.Store == nil && o.ValidateKey != "":
		signed = "yes" + olders(len(o.OldValidateKeys))
	case i.Store != nil && o.Secret != "":
		signed = "yes" + olders(len(o.OldSecrets))
	}
	masked := "by the names of their keys"
	if i.Mask != nil {
		masked = "as inspector_mask says"
	}
	return append(facts,
		fact{Name: "Cookie", Code: o.Key},
		fact{Name: "Signed", Text: signed},
		fact{Name: "Encrypted", Text: encrypted},
		fact{Name: "Timeout", Text: timeout},
		fact{Name: "New sessions are", Text: cmp.Or(o.DataSerializer, "pickle")},
		fact{Name: "Secret values are masked", Text: masked},
	)
}

func olders(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and 1 older key is accepted"
	}
	return fmt.Sprintf(", and %d older keys are accepted", n)
}

// health says whether the store works.
func (i *inspector) health(ctx context.Context) fact {
	p, can := stores.As[stores.Pinger](i.Store)
	if i.Store == nil || !can {
		return fact{Name: "Sessions are in", Text: i.place}
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	if p.Ping(ctx) != nil {
		return fact{Name: "Store", Text: "does not answer", Badge: "unreadable"}
	}
	return fact{Name: "Store", Text: "answers", Badge: "live"}
}

// groups puts the metrics together by the second word of their names, "http" of
// gobeaker_http_requests_total.
func groups(numbers []Number, now time.Time) []group {
	var out []group
	for _, n := range numbers {
		words := strings.SplitN(n.Name, "_", 3)
		name := words[0]
		if name == "gobeaker" && len(words) > 1 {
			name = words[1]
		}
		name = title(name)
		at := slices.IndexFunc(out, func(g group) bool { return g.Name == name })
		if at < 0 {
			out, at = append(out, group{Name: name}), len(out)
		}
		g := &out[at]
		m := slices.IndexFunc(g.Metrics, func(m metric) bool { return m.Name == n.Name })
		if m < 0 {
			g.Metrics, m = append(g.Metrics, metric{Name: n.Name, Help: n.Help}), len(g.Metrics)
		}
		g.Metrics[m].Values = append(g.Metrics[m].Values, value{n.Labels, measure(n.Name, n.Value, now)})
	}
	slices.SortStableFunc(out, func(a, b group) int { return rank(a.Name) - rank(b.Name) })
	return out
}

// rank has what concerns users before what concerns the process.
func rank(group string) int {
	first, last := []string{"Requests", "Upstream", "Session", "Sessions", "Store"}, []string{"Config", "Process", "Go runtime", "Build"}
	if at := slices.Index(first, group); at >= 0 {
		return at - len(first)
	}
	return slices.Index(last, group) + 1
}

// title names a group for people.
func title(word string) string {
	switch word {
	case "http":
		return "Requests"
	case "go":
		return "Go runtime"
	case "":
		return "Others"
	}
	return strings.ToUpper(word[:1]) + word[1:]
}
