package middleware

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// ErrFlashCategory: a message of a category that the [Flash] does not have.
var ErrFlashCategory = errors.New("no such category of flash messages")

// Flash keeps messages in the session until a page shows them, once, where a
// Python framework looks for them: [WebHelpersFlash], [PyramidFlash]. The zero
// Category fields with the key "flash" are WebHelpers up to 0.6, which knew no
// categories.
//
// A Flash is safe for concurrent use by different requests; not on one session from
// several goroutines, each of which could write the list without the other's
// message.
type Flash struct {
	// Key is the key of the session that holds the list of messages.
	Key string
	// DefaultCategory is that of a message without one. "": messages have no
	// categories, and stand in the list by themselves; otherwise as a tuple
	// (category, message).
	DefaultCategory string
	// Categories are those that may be pushed; empty: any.
	Categories []string
}

// FlashMessage is a message for the user.
type FlashMessage struct {
	// Category is empty where there are none.
	Category string
	// Text is the message, if it is a text or one of the text classes of
	// templates; see Markup and Value for what else it is.
	Text string
	// Markup says that the text is HTML, which Python shows without escaping it
	// (markupsafe.Markup, WebHelpers' literal).
	Markup bool
	// Value is the message as it is stored. To push, it goes before Text; nil: the
	// text. A webflash has its whole payload here, a *pyvalue.Dict.
	Value pyvalue.Value
}

// WebHelpersFlash is the Flash() of Pylons applications (WebHelpers 1.0 and
// later: pylonslib.flash.Flash): tuples under "flash". An application that gives
// it another session_key or other categories wants the same here.
func WebHelpersFlash() Flash {
	return Flash{
		Key:             "flash",
		DefaultCategory: "notice",
		Categories:      []string{"warning", "notice", "error", "success"},
	}
}

// PyramidFlash is a queue of Pyramid's session.flash (pyramid_beaker: flash,
// pop_flash, peek_flash); "" is the default queue. Its messages have no categories:
// applications use a queue for each.
func PyramidFlash(queue string) Flash { return Flash{Key: "_f_" + queue} }

// Push adds a message and saves the session. The error is ErrFlashCategory, that
// of [compat.Session.Set], or ErrUnexpectedValue if there is no list under Key.
func (f Flash) Push(s *compat.Session, m FlashMessage) error {
	list, entry, err := f.prepare(s, m)
	if err != nil {
		return fmt.Errorf("middleware: flash: %w", err)
	}
	return f.save(s, append(list, entry))
}

// PushOnce is Push, unless there is a message of the same text already. That
// one gets the category of the new one (WebHelpers: ignore_duplicate; Pyramid:
// allow_duplicate=False).
func (f Flash) PushOnce(s *compat.Session, m FlashMessage) error {
	list, entry, err := f.prepare(s, m)
	if err != nil {
		return fmt.Errorf("middleware: flash: %w", err)
	}
	wanted := f.read(entry)
	i := slices.IndexFunc(list, func(v pyvalue.Value) bool { return sameMessage(f.read(v), wanted) })
	switch {
	case i < 0:
		list = append(list, entry)
	case f.read(list[i]).Category == wanted.Category:
		return nil
	default:
		list[i] = entry
	}
	return f.save(s, list)
}

// Pop removes all messages and returns them, oldest first. The session is saved
// if there were any; Python saves it in any case, and so makes sessions of visitors
// who have none. The error is ErrUnexpectedValue, and then nothing is removed.
func (f Flash) Pop(s *compat.Session) ([]FlashMessage, error) {
	list, err := f.list(s)
	if err != nil {
		return nil, fmt.Errorf("middleware: flash: %w", err)
	}
	if s.Remove(f.Key) {
		s.Save()
	}
	return f.readAll(list), nil
}

// Peek returns the messages and leaves them. The error is ErrUnexpectedValue.
func (f Flash) Peek(g compat.Getter) ([]FlashMessage, error) {
	list, err := f.list(g)
	if err != nil {
		return nil, fmt.Errorf("middleware: flash: %w", err)
	}
	return f.readAll(list), nil
}

// prepare returns a copy of the list, which others may have, and the entry of a
// message for it.
func (f Flash) prepare(s *compat.Session, m FlashMessage) ([]pyvalue.Value, pyvalue.Value, error) {
	list, err := f.list(s)
	if err != nil {
		return nil, nil, err
	}
	entry := m.Value
	if entry == nil {
		if entry, err = pyvalue.FromGoNaive(m.Text); err != nil {
			return nil, nil, err
		}
	}
	if m.Category == "" {
		m.Category = f.DefaultCategory
	}
	switch {
	case f.DefaultCategory == "" && m.Category != "",
		len(f.Categories) > 0 && !slices.Contains(f.Categories, m.Category):
		return nil, nil, fmt.Errorf("%w: %q", ErrFlashCategory, m.Category)
	case f.DefaultCategory != "":
		// A literal of Python 2, where WebHelpers lives; Python 3 reads it as str.
		var category pyvalue.Value = pyvalue.Py2Str(m.Category)
		if !pyvalue.IsASCII(m.Category) {
			if category, err = pyvalue.FromGoNaive(m.Category); err != nil {
				return nil, nil, err
			}
		}
		entry = pyvalue.NewTuple(category, entry)
	}
	return slices.Clone(list), entry, nil
}

func (f Flash) save(s *compat.Session, list []pyvalue.Value) error {
	if err := s.Set(f.Key, pyvalue.NewList(list...)); err != nil {
		return fmt.Errorf("middleware: flash: %w", err)
	}
	s.Save()
	return nil
}

func (f Flash) list(g compat.Getter) ([]pyvalue.Value, error) {
	v, ok := g.Get(f.Key)
	if !ok {
		return nil, nil
	}
	list, ok := v.(*pyvalue.List)
	if !ok {
		return nil, fmt.Errorf("%w: %q is of type %s", ErrUnexpectedValue, f.Key, pyvalue.TypeName(v))
	}
	return list.Items, nil
}

func (f Flash) readAll(list []pyvalue.Value) []FlashMessage {
	var messages []FlashMessage
	for _, v := range list {
		messages = append(messages, f.read(v))
	}
	return messages
}

// read reads an entry of the list. One that is no pair is a message by itself,
// as WebHelpers up to 0.6 left them.
func (f Flash) read(v pyvalue.Value) FlashMessage {
	var m FlashMessage
	if pair := itemsOf(v); f.DefaultCategory != "" && len(pair) == 2 {
		if category, _, ok := templateText(pair[0]); ok {
			m.Category, v = category, pair[1]
		}
	}
	m.Value = v
	m.Text, m.Markup, _ = templateText(v)
	return m
}

// itemsOf returns the items of a tuple, or of the list that it becomes in a
// session stored as JSON.
func itemsOf(v pyvalue.Value) []pyvalue.Value {
	switch v := v.(type) {
	case *pyvalue.Tuple:
		return v.Items
	case *pyvalue.List:
		return v.Items
	}
	return nil
}

// sameMessage is Python's == of two messages, as far as texts go: the text
// classes are str to it.
func sameMessage(a, b FlashMessage) bool {
	s, _, ok1 := templateText(a.Value)
	t, _, ok2 := templateText(b.Value)
	if ok1 && ok2 {
		return s == t
	}
	return pyvalue.Equal(a.Value, b.Value)
}
