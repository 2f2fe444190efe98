package livetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// verbResponse is what came of a request.
type verbResponse struct {
	SetCookie *string `json:"set_cookie"`
	Error     *string `json:"error"`
	Results   []any   `json:"results"`
	// Records of the directories of Python and of Go, by id, as Python reads
	// them. In the answer of Python only.
	Records [2]map[string]verbRecord `json:"records"`
	// Payloads are what the cookies of Python and of Go hold, if sessions are
	// cookie-only. In the answer of Python only.
	Payloads [2]map[string]json.RawMessage `json:"payloads"`
}

// verbRecord is a record under the form that it has: "dict" or "text".
type verbRecord map[string]map[string]json.RawMessage

func (r verbRecord) String() string {
	text, _ := json.Marshal(map[string]map[string]json.RawMessage(r))
	return string(text)
}

// verbSide is one of the two implementations during a sequence.
type verbSide struct {
	cookieOnly bool
	keys       [][]byte // of the signature
	names      map[string]string
	unknown    string // an id
	jar        string
	first      string
}

func newVerbSide(o verbOptions, unknown string) *verbSide {
	s := &verbSide{unknown: unknown, names: map[string]string{}, cookieOnly: o.Type == "cookie"}
	key := o.Secret
	if s.cookieOnly {
		key = o.ValidateKey
	}
	if key != "" {
		s.keys = [][]byte{[]byte(key)}
	}
	return s
}

const verbCookie = "beaker.session.id"

func (s *verbSide) header(c cookieChoice) string {
	switch c {
	case first:
		return s.first
	case unknown:
		id := s.unknown
		s.name(id)
		if s.keys != nil {
			id = string(beakerfmt.AppendSigned(nil, s.keys[0], id))
		}
		return verbCookie + "=" + id
	}
	return s.jar
}

// name stands for an id: the two sides make ids of their own, but at the same
// points.
func (s *verbSide) name(id string) string {
	if s.names[id] == "" {
		s.names[id] = fmt.Sprintf("id%d", len(s.names))
	}
	return s.names[id]
}

// take reads a response as a browser does, and returns it in a form that is to
// be the same on both sides.
func (s *verbSide) take(r verbResponse, now time.Time) (cookie string, results []any, err error) {
	if r.Error != nil {
		return "", nil, errors.New(*r.Error)
	}
	cookie = "none"
	if r.SetCookie != nil {
		if cookie, err = s.takeCookie(*r.SetCookie, now); err != nil {
			return "", nil, err
		}
	}
	for _, result := range r.Results {
		if id, ok := result.(string); ok && len(id) == 32 {
			result = s.name(id)
		}
		results = append(results, result)
	}
	return cookie, results, nil
}

func (s *verbSide) takeCookie(text string, now time.Time) (string, error) {
	c, err := http.ParseSetCookie(text)
	if err != nil {
		return "", err
	}
	id := c.Value
	if s.keys != nil {
		if id, _, err = beakerfmt.Verify(s.keys, c.Value); err != nil {
			return "", err
		}
	}
	s.jar = verbCookie + "=" + c.Value
	if s.first == "" {
		s.first = s.jar
	}
	if !c.Expires.IsZero() && c.Expires.Before(now) {
		s.jar = ""
	}
	if s.cookieOnly {
		return strings.Replace(text, c.Value, "the session", 1), nil
	}
	return strings.Replace(text, c.Value, s.name(id), 1), nil
}

// payload is what a cookie-only session's cookie holds, with names in place of ids.
func (s *verbSide) payload(values map[string]json.RawMessage) string {
	var id string
	if json.Unmarshal(values["_id"], &id) == nil && id != "" {
		values["_id"], _ = json.Marshal(s.name(id))
	}
	text, _ := json.Marshal(values) // in the order of the keys
	return string(text)
}

// records puts the names in place of the ids. Those of ids that neither a
// cookie nor a verb told are named in the order of their content.
func (s *verbSide) records(found map[string]verbRecord) map[string]verbRecord {
	all := map[string]verbRecord{}
	var unseen []verbRecord
	for id, record := range found {
		if name, seen := s.names[id]; seen {
			all[name] = record
		} else {
			unseen = append(unseen, record)
		}
	}
	slices.SortFunc(unseen, func(a, b verbRecord) int { return strings.Compare(a.String(), b.String()) })
	for i, record := range unseen {
		all[fmt.Sprintf("unseen%d", i)] = record
	}
	return all
}

// forgiveTimes drops the times that only Go's records have. Beaker's clear drops
// them from a session, and its save does not put them back; compat's does, or
// the session would never time out.
func forgiveTimes(python, gopher map[string]verbRecord) {
	for name, record := range gopher {
		for form, values := range record {
			for _, key := range []string{"_accessed_time", "_creation_time"} {
				if _, there := python[name][form][key]; !there {
					delete(values, key)
				}
			}
		}
	}
}

// forgivePath drops the path of a cookie. Beaker up to 1.10 forgets it as it loads a
// session, and sends a cookie that holds for a part of the site.
func forgivePath(cookie string) string {
	before, after, found := strings.Cut(cookie, "; Path=")
	if !found {
		return cookie
	}
	_, rest, _ := strings.Cut(after, ";")
	return before + strings.TrimSuffix(";"+rest, ";")
}
