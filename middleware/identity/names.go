package identity

import (
	"net/http"
	"slices"
	"strings"
)

// Delete removes headers of these names in every spelling that an application may take
// for them: any case, and underscores or any other sign for hyphens, as CGI, WSGI and PHP
// make one variable of them; from the lists in Connection, Proxy-Connection and Trailer,
// too, by which a client could have a proxy remove what is set here. Trailers of a request
// are a header of their own ([http.Request.Trailer]): call it for them as well.
func Delete(h http.Header, names []string) {
	for key, values := range h {
		switch {
		case slices.ContainsFunc(names, func(n string) bool { return sameName(n, key) }):
			delete(h, key)
		case sameName(key, "Connection"), sameName(key, "Proxy-Connection"), sameName(key, "Trailer"):
			dropFromList(h, key, values, names)
		}
	}
}

// dropFromList takes names out of comma-separated lists and leaves the others as they are.
func dropFromList(h http.Header, key string, values, names []string) {
	named := func(item string) bool {
		item = strings.Trim(item, " \t")
		return slices.ContainsFunc(names, func(n string) bool { return sameName(n, item) })
	}
	if !slices.ContainsFunc(values, func(v string) bool { return slices.ContainsFunc(strings.Split(v, ","), named) }) {
		return
	}
	var kept []string
	for _, v := range values {
		if v = strings.Join(slices.DeleteFunc(strings.Split(v, ","), named), ","); strings.Trim(v, " \t,") != "" {
			kept = append(kept, strings.Trim(v, " \t"))
		}
	}
	if kept == nil {
		delete(h, key)
		return
	}
	h[key] = kept
}

// sameName reports whether an application may take two names of headers for one.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if foldName(a[i]) != foldName(b[i]) {
			return false
		}
	}
	return true
}

func foldName(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c | 0x20
	case isAlphanumeric(c):
		return c
	}
	return '-'
}
