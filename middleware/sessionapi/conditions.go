package sessionapi

import (
	"net/http"
	"slices"
	"strings"
)

// conditions are those of a request (RFC 9110, section 13). A tag "" is that of a
// session that does not exist.
type conditions struct{ ifMatch, noneMatch *tags }

// tags are the entity tags of a header.
type tags struct {
	every bool // "*"
	list  []string
}

func conditionsOf(h http.Header) (on conditions, err error) {
	if on.ifMatch, err = tagsOf(h["If-Match"]); err == nil {
		on.noneMatch, err = tagsOf(h["If-None-Match"])
	}
	return on, err
}

func tagsOf(lines []string) (*tags, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	rest := strings.TrimSpace(strings.Join(lines, ","))
	if rest == "*" {
		return &tags{every: true}, nil
	}
	t := &tags{}
	for first := true; first || rest != ""; first = false {
		tag, after, ok := cutTag(rest)
		if !ok {
			return nil, badRequest.problem("If-Match and If-None-Match have entity tags in double quotes.")
		}
		t.list = append(t.list, tag)
		rest = strings.TrimLeft(after, " \t,")
	}
	return t, nil
}

// cutTag takes one entity tag from the front.
func cutTag(s string) (tag, after string, ok bool) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = 2
	}
	if !strings.HasPrefix(s[start:], `"`) {
		return "", "", false
	}
	end := strings.IndexByte(s[start+1:], '"')
	if end < 0 {
		return "", "", false
	}
	end += start + 2
	after = strings.TrimLeft(s[end:], " \t")
	return s[:end], after, after == "" || after[0] == ','
}

// has compares strongly or weakly (RFC 9110, section 8.8.3.2).
func (t *tags) has(tag string, strong bool) bool {
	if tag == "" {
		return false
	}
	return t.every || slices.ContainsFunc(t.list, func(s string) bool {
		return s == tag || !strong && strings.TrimPrefix(s, "W/") == tag
	})
}

func (on conditions) any() bool { return on.ifMatch != nil || on.noneMatch != nil }

func (on conditions) match(tag string) bool { return on.ifMatch == nil || on.ifMatch.has(tag, true) }

// hold reports whether an operation that changes the session may go on.
func (on conditions) hold(tag string) bool {
	return on.match(tag) && (on.noneMatch == nil || !on.noneMatch.has(tag, false))
}
