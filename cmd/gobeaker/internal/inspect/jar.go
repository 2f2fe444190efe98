package inspect

import (
	"fmt"
	"slices"
	"strings"
)

// A cookie jar in the format of Netscape, as curl -c and browsers write it: a
// line for each cookie, of seven fields with tabs between them. Other lines are
// comments or empty.
const (
	jarFields    = 7
	jarName      = 5
	jarValue     = 6
	httpOnlyMark = "#HttpOnly_"
)

// IsJar reports whether text is a cookie jar.
func IsJar(text string) bool {
	for line := range strings.Lines(text) {
		if _, _, ok := jarLine(line); ok {
			return true
		}
	}
	return strings.HasPrefix(text, "# Netscape HTTP Cookie File") || strings.HasPrefix(text, "# HTTP Cookie File")
}

// jarLine takes one line of a jar apart.
func jarLine(line string) (name, value string, ok bool) {
	line = strings.TrimPrefix(strings.TrimRight(line, "\r\n"), httpOnlyMark)
	if strings.HasPrefix(line, "#") || strings.Count(line, "\t") != jarFields-1 {
		return "", "", false
	}
	fields := strings.Split(line, "\t")
	for _, flag := range []string{fields[1], fields[3]} { // for subdomains too; for https only
		if flag != "TRUE" && flag != "FALSE" {
			return "", "", false
		}
	}
	return fields[jarName], fields[jarValue], true
}

// fromJar finds the cookie of the name, or the only one that there is. Of
// several with that name, for other hosts or paths, it is the last.
func fromJar(text, name string) (Cookie, string, error) {
	var names []string
	found := map[string]string{}
	times := map[string]int{}
	for line := range strings.Lines(text) {
		n, value, ok := jarLine(line)
		if !ok {
			continue
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
		found[n] = value
		times[n]++
	}
	if len(names) == 1 {
		name = names[0]
	}
	value, ok := found[name]
	if !ok {
		return Cookie{}, "", fmt.Errorf("inspect: cookie jar: %w: %s", ErrNoCookie, offer(names))
	}
	c := Cookie{Name: name}
	if times[name] > 1 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("the jar has %d cookies of this name, for different hosts or paths; this is the last", times[name]))
	}
	return c, value, nil
}

// offer lists the cookies that could have been meant.
func offer(names []string) string {
	const most = 12
	if len(names) == 0 {
		return "it has none at all"
	}
	more := ""
	if len(names) > most {
		names, more = names[:most], " …"
	}
	return "it has " + strings.Join(names, ", ") + more + "; say which one is meant with --key"
}
