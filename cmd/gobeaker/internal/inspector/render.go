package inspector

import (
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/survey"
)

// view is what every page is made of.
type view struct {
	Page, Title, Base, Place string
	Version, User            string
	LogOut                   bool
	Notice                   string // what was done
	Error                    string // what is wrong
	Data                     any
	form                     func(action string) string
}

// Form is the token of a form that does something.
func (v view) Form(action string) string { return v.form(action) }

func (i *inspector) view(v visitor, page, title string) view {
	return view{
		Page: page, Title: title, Base: i.base, Place: i.place, Version: i.Version, User: v.user,
		LogOut: v.in && len(i.Users) > 0,
		form:   func(action string) string { return i.Guard.formToken(v.browser, action) },
	}
}

// show renders a page.
func (i *inspector) show(w http.ResponseWriter, r *http.Request, status int, v view) {
	if err := i.pages.Render(w, status, v.Page, v); err != nil {
		i.Audit.ErrorContext(r.Context(), "inspector", "page", v.Page, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
	}
}

func (i *inspector) render(w http.ResponseWriter, r *http.Request, v visitor, status int, page, title string, data any, wrong string) {
	out := i.view(v, page, title)
	out.Data, out.Error = data, wrong
	i.show(w, r, status, out)
}

// problem is a page that says what is wrong.
func (i *inspector) problem(w http.ResponseWriter, r *http.Request, v visitor, status int, title, what string) {
	i.render(w, r, v, status, "problem", title, what, "")
}

// fact is a line about something. Of Text, Code and Time one is set.
type fact struct {
	Name, Text, Code string
	Time             time.Time
	Badge            string // the class of a badge that Text stands in
}

func (i *inspector) funcs() template.FuncMap {
	return template.FuncMap{
		"bytes":  bytes,
		"number": number,
		"ago":    func(t time.Time) string { return ago(i.Now().Sub(t)) },
		"utc":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}
}

func bytes(n int64) string {
	if n <= 0 {
		return "–"
	}
	return survey.Bytes(n)
}

// number writes a whole number with its thousands apart.
func number(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// ago says how long ago something was, roughly.
func ago(d time.Duration) string {
	one := func(n float64, unit string) string {
		if n := int(n); n != 1 {
			return fmt.Sprintf("%d %ss ago", n, unit)
		}
		return "1 " + unit + " ago"
	}
	switch {
	case d < -time.Minute:
		return "in the future"
	case d < time.Second:
		return "just now"
	case d < time.Minute:
		return one(d.Seconds(), "second")
	case d < time.Hour:
		return one(d.Minutes(), "minute")
	case d < 48*time.Hour:
		return one(d.Hours(), "hour")
	case d < 2*365*24*time.Hour:
		return one(d.Hours()/24, "day")
	}
	return one(d.Hours()/24/365, "year")
}

// span writes a time span in its two largest units.
func span(d time.Duration) string {
	var words []string
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		n := int(d / u.of)
		if d %= u.of; n == 0 {
			if len(words) > 0 {
				break
			}
			continue
		}
		name := u.name
		if n != 1 {
			name += "s"
		}
		if words = append(words, fmt.Sprintf("%d %s", n, name)); len(words) == 2 {
			break
		}
	}
	if len(words) == 0 {
		return "less than a second"
	}
	return strings.Join(words, " ")
}

// measure writes the value of a metric by the unit at the end of its name, after which
// may come a word about it: "x_seconds (mean)".
func measure(name string, v float64, now time.Time) string {
	name, _, _ = strings.Cut(name, " ")
	name = strings.TrimSuffix(name, "_total")
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case strings.HasSuffix(name, "_timestamp_seconds"), strings.HasSuffix(name, "_time_seconds") && v > 1e9:
		if v <= 0 {
			return "never"
		}
		return ago(now.Sub(time.UnixMilli(int64(v * 1000))))
	case strings.HasSuffix(name, "_seconds"):
		return seconds(v)
	case strings.HasSuffix(name, "_bytes") && v >= 0 && v < 1<<60:
		return survey.Bytes(int64(v))
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		return number(int(v))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func seconds(v float64) string {
	switch {
	case v < 0 || v >= 1e9:
		return strconv.FormatFloat(v, 'g', 4, 64) + " s"
	case v == 0:
		return "0 s"
	case v < 1e-3:
		return strconv.FormatFloat(v*1e6, 'f', 0, 64) + " µs"
	case v < 1:
		return strconv.FormatFloat(v*1e3, 'g', 3, 64) + " ms"
	case v < 120:
		return strconv.FormatFloat(v, 'g', 3, 64) + " s"
	}
	return time.Duration(v * 1e9).Round(time.Second).String()
}
