package sessionapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
)

// delete ends the session: a logout.
func (a *api) delete(c *call) (*answer, error) {
	out, err := a.write(c, func(s *compat.Session) ([]string, error) {
		if !s.IsNew() || s.WasInvalidated() {
			s.Delete()
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	ans := &answer{status: http.StatusOK, header: http.Header{}}
	return ans.finish([]byte(`{"session":{},"new":true`), out.cookies)
}

// regenerate moves the session to a new id, as is right after a login.
func (a *api) regenerate(c *call) (*answer, error) {
	out, err := a.write(c, func(s *compat.Session) ([]string, error) {
		if s.IsNew() {
			return nil, noSession.problem("")
		}
		return nil, s.RegenerateID()
	})
	if err != nil {
		return nil, err
	}
	c.began = true // who knew the old id must not be told the new one
	return tell(c, out)
}

// touch counts as a use of the session, so that it does not time out.
func (a *api) touch(c *call) (*answer, error) {
	on, err := conditionsOf(c.Header)
	if err != nil {
		return nil, err
	}
	object, done := a.sessions.Open(c.Request)
	defer a.closed(c, done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), writeTimeout)
	defer cancel()
	view, err := object.Peek(ctx)
	if err != nil {
		return nil, err
	}
	if view.IsNew() {
		return nil, noSession.problem("")
	}
	if on.any() {
		id, _ := object.ID()
		tag, err := etag(id, view)
		if err != nil {
			return nil, err
		}
		if !on.hold(tag) {
			return nil, changed.problem("")
		}
	}
	if err := object.Touch(ctx); err != nil {
		return nil, err
	}
	return answered(map[string]any{"touched": true}, lines(object))
}

// form is the body of what frameworks keep in a session. Which members it has depends on
// the operation.
type form struct {
	Framework string          `json:"framework"`
	Token     *string         `json:"token"`
	Category  string          `json:"category"`
	Queue     string          `json:"queue"`
	Text      *string         `json:"text"`
	Value     json.RawMessage `json:"value"`
	Once      bool            `json:"once"`
}

// formOf reads a body that has the framework and may have these members.
func formOf(c *call, others ...string) (f form, err error) {
	doc, err := parse(c.body)
	if err != nil {
		return f, err
	}
	if _, ok := doc.GetStr("framework"); !ok {
		return f, badRequest.about("framework", "The member is missing.")
	}
	for k := range doc.All() {
		if name := string(k.(pyvalue.Str)); name != "framework" && !slices.Contains(others, name) {
			return f, badRequest.about(name, "There is no such member.")
		}
	}
	if err := json.Unmarshal(c.body, &f); err != nil {
		return f, badRequest.problem("A member is of another type.")
	}
	return f, nil
}

// csrf returns the framework's rules, of which only the session's part is needed: that
// the token is the session's is what the service asks; where its visitor's request comes
// from it knows itself.
func (f form) csrf() (*middleware.CSRF, error) {
	var rules *middleware.CSRF
	switch f.Framework {
	case "webhelpers":
		rules = middleware.WebHelpersCSRF()
	case "pyramid":
		rules = middleware.PyramidCSRF()
	default:
		return nil, badValue.about("framework", "It is webhelpers or pyramid.")
	}
	rules.Origin = middleware.OriginIgnored
	return rules, nil
}

const tokenHeader = "X-Csrf-Token"

// checkCSRF tells whether a token is the session's.
func (a *api) checkCSRF(c *call) (*answer, error) {
	f, err := formOf(c, "token")
	if err != nil {
		return nil, err
	}
	if f.Token == nil {
		return nil, badRequest.about("token", "The member is missing.")
	}
	rules, err := f.csrf()
	if err != nil {
		return nil, err
	}
	object, done := a.sessions.Open(c.Request)
	defer a.closed(c, done)
	view, err := object.Peek(c.Context())
	if err != nil {
		return nil, err
	}
	rules.Header, rules.Query, rules.Field = tokenHeader, "", ""
	asked := &http.Request{Header: http.Header{tokenHeader: {*f.Token}}}
	return answered(map[string]any{"valid": rules.Check(asked, view) == nil}, nil)
}

// tokenCSRF tells the session's token, and makes one if there is none.
func (a *api) tokenCSRF(c *call) (*answer, error) {
	f, err := formOf(c)
	if err != nil {
		return nil, err
	}
	rules, err := f.csrf()
	if err != nil {
		return nil, err
	}
	token := ""
	out, err := a.write(c, func(s *compat.Session) (dependsOn []string, err error) {
		token, err = rules.Token(s)
		return []string{rules.Key}, err
	})
	if err != nil {
		return nil, err
	}
	return answered(map[string]any{"token": token, "field": rules.Field, "header": rules.Header}, out.cookies)
}

// flash returns the place of the framework's messages in the session.
func (f form) flash() (middleware.Flash, error) {
	switch {
	case f.Framework == "webhelpers" && f.Queue == "":
		return middleware.WebHelpersFlash(), nil
	case f.Framework == "webhelpers":
		return middleware.Flash{}, badValue.about("queue", "WebHelpers has categories, no queues.")
	case f.Framework == "pyramid" && f.Category == "":
		return middleware.PyramidFlash(f.Queue), nil
	case f.Framework == "pyramid":
		return middleware.Flash{}, badValue.about("category", "Pyramid has queues, no categories.")
	}
	return middleware.Flash{}, badValue.about("framework", "It is webhelpers, pyramid or turbogears.")
}

// message is what is to be pushed.
func (f form) message() (middleware.FlashMessage, error) {
	m := middleware.FlashMessage{Category: f.Category}
	switch {
	case (f.Text == nil) == (f.Value == nil):
		return m, badRequest.problem("A message has a text or a value.")
	case f.Text != nil:
		m.Text = *f.Text
		return m, nil
	case f.Framework == "turbogears":
		return m, badValue.about("value", "TurboGears' messages are texts.")
	}
	v, err := taggedjson.ParsePlain(f.Value)
	m.Value = v
	return m, valueError("value", err)
}

// pushFlash leaves a message for the visitor's next page.
func (a *api) pushFlash(c *call) (*answer, error) {
	f, err := formOf(c, "category", "queue", "text", "value", "once")
	if err != nil {
		return nil, err
	}
	m, err := f.message()
	if err != nil {
		return nil, err
	}
	if f.Framework == "turbogears" {
		response := headers{}
		err := middleware.TurboGearsFlash().Push(response, m)
		if err != nil {
			return nil, err
		}
		return answered(map[string]any{"pushed": true}, response["Set-Cookie"])
	}
	flash, err := f.flash()
	if err != nil {
		return nil, err
	}
	push := flash.Push
	if f.Once {
		push = flash.PushOnce
	}
	out, err := a.write(c, func(s *compat.Session) ([]string, error) {
		return []string{flash.Key}, push(s, m)
	})
	if err != nil {
		return nil, err
	}
	return answered(map[string]any{"pushed": true}, out.cookies)
}

// popFlash takes the messages out, to be shown.
func (a *api) popFlash(c *call) (*answer, error) {
	f, err := formOf(c, "queue")
	if err != nil {
		return nil, err
	}
	if f.Framework == "turbogears" {
		response := headers{}
		var all []middleware.FlashMessage
		if m, ok := middleware.TurboGearsFlash().Pop(response, c.Request); ok {
			all = append(all, m)
		}
		return messages(all, response["Set-Cookie"])
	}
	flash, err := f.flash()
	if err != nil {
		return nil, err
	}
	var all []middleware.FlashMessage
	out, err := a.write(c, func(s *compat.Session) (dependsOn []string, err error) {
		all, err = flash.Pop(s)
		return []string{flash.Key}, err
	})
	if err != nil {
		return nil, err
	}
	return messages(all, out.cookies)
}

// message is one message as it is answered.
type message struct {
	Category string          `json:"category,omitempty"`
	Text     string          `json:"text"`
	Markup   bool            `json:"markup,omitempty"` // the text is HTML
	Value    json.RawMessage `json:"value,omitempty"`  // one that is no text
}

func messages(all []middleware.FlashMessage, cookies []string) (*answer, error) {
	out := make([]message, 0, len(all))
	for _, m := range all {
		told := message{Category: m.Category, Text: m.Text, Markup: m.Markup}
		if m.Text == "" && m.Value != nil {
			value, err := taggedjson.AppendPlain(nil, m.Value)
			if err != nil {
				return nil, err
			}
			told.Value = value
		}
		out = append(out, told)
	}
	return answered(map[string]any{"messages": out}, cookies)
}

// headers collects the headers of a response that is not written by its maker.
type headers http.Header

func (h headers) Header() http.Header       { return http.Header(h) }
func (headers) Write(p []byte) (int, error) { return len(p), nil }
func (headers) WriteHeader(int)             {}
