package middleware

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

const (
	defaultMaxBody = 10 << 20 // what net/http itself reads of a form
	urlencoded     = "application/x-www-form-urlencoded"
	multipartForm  = "multipart/form-data"
	maxParts       = 1000 // of a multipart form, as in net/http
)

// errForm: the body did not arrive, or not whole.
var errForm = errors.New("form cannot be read")

// submitted returns the token that a request carries, or "". A header is
// cheaper than a body, so it comes first (Pyramid: csrf.check_csrf_token); a query
// hides a form (WebOb: NestedMultiDict, which is Pylons' request.params).
func (c *CSRF) submitted(r *http.Request) (string, error) {
	if c.Header != "" {
		if token := strings.Join(r.Header.Values(c.Header), ","); token != "" {
			return token, nil
		}
	}
	if c.Query != "" {
		if token, ok := lastValue(r.URL.RawQuery, c.Query); ok {
			return token, nil
		}
	}
	if c.Field == "" {
		return "", nil
	}
	limit := c.MaxBody
	if limit == 0 {
		limit = defaultMaxBody
	}
	return formValue(r, c.Field, limit)
}

// lastValue returns the value of a name in the text of a query or of an
// urlencoded form; of several the last one, as WebOb's MultiDict gives it. It reads
// pairs as url.ParseQuery does, which leaves out what is malformed, but any number of
// them: url.ParseQuery reads nothing of a form of more than 10,000.
func lastValue(pairs, name string) (value string, ok bool) {
	for more := true; more; {
		var pair string
		if i := strings.LastIndexByte(pairs, '&'); i >= 0 {
			pairs, pair = pairs[:i], pairs[i+1:]
		} else {
			pair, more = pairs, false
		}
		if pair == "" || strings.Contains(pair, ";") {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			return value, true
		}
	}
	return "", false
}

// formValue returns a field of the form in a request's body, as request.POST of
// WebOb 1.8 has it: of any method but GET and HEAD, if the content type is that of
// a form; a file is no field. The body is put back.
func formValue(r *http.Request, field string, limit int64) (string, error) {
	if values := r.PostForm[field]; len(values) > 0 { // somebody has parsed it before
		return values[len(values)-1], nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return "", nil
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == "" && r.Method == http.MethodPost {
		contentType = urlencoded
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil { // a parameter is odd
		kind, _, _ = strings.Cut(contentType, ";")
	}
	if kind = strings.TrimSpace(kind); kind != urlencoded && kind != multipartForm {
		return "", nil
	}
	body, err := rereadable(r, limit)
	if err != nil {
		return "", err
	}
	if kind == multipartForm {
		return multipartValue(body, params["boundary"], field, limit), nil
	}
	value, _ := lastValue(string(body), field)
	return value, nil
}

// rereadable reads the body of a request and puts it back.
func rereadable(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	r.Body = &readAgain{Reader: bytes.NewReader(body), Closer: r.Body}
	return body, nil
}

type readAgain struct {
	io.Reader
	io.Closer
}

func multipartValue(body []byte, boundary, field string, limit int64) (value string) {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := parts.NextPart()
		if err != nil { // the end, or no multipart from here on
			return value
		}
		if part.FormName() != field || part.FileName() != "" {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(part, limit))
		if err != nil {
			return value
		}
		value = string(text)
	}
	return value
}
