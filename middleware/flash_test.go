package middleware_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware"
)

func str(s string) pyvalue.Value { return pyvalue.Str(s) }

// texts are the category and the text of messages.
func texts(messages []middleware.FlashMessage) [][2]string {
	var out [][2]string
	for _, m := range messages {
		out = append(out, [2]string{m.Category, m.Text})
	}
	return out
}

func TestFlashPushAndPop(t *testing.T) {
	for name, tc := range map[string]struct {
		flash  middleware.Flash
		key    string
		stored pyvalue.Value
		shown  [][2]string
	}{
		"webhelpers": {
			middleware.WebHelpersFlash(), "flash",
			pyvalue.NewList(pyvalue.NewTuple(pyvalue.Py2Str("notice"), str("one")), pyvalue.NewTuple(pyvalue.Py2Str("notice"), str("twö"))),
			[][2]string{{"notice", "one"}, {"notice", "twö"}},
		},
		"webhelpers 0.6": {
			middleware.Flash{Key: "flash"}, "flash", pyvalue.NewList(str("one"), str("twö")), [][2]string{{"", "one"}, {"", "twö"}},
		},
		"pyramid":       {middleware.PyramidFlash(""), "_f_", pyvalue.NewList(str("one"), str("twö")), [][2]string{{"", "one"}, {"", "twö"}}},
		"pyramid error": {middleware.PyramidFlash("error"), "_f_error", pyvalue.NewList(str("one"), str("twö")), [][2]string{{"", "one"}, {"", "twö"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, nil)
			none, err := tc.flash.Pop(s)
			require.NoError(t, err)
			require.Empty(t, none)
			require.False(t, s.Dirty(), "a visitor who has no messages gets no session")

			require.NoError(t, tc.flash.Push(s, middleware.FlashMessage{Text: "one"}))
			require.True(t, s.Dirty(), "it is saved")
			before, _ := s.Get(tc.key)
			require.NoError(t, tc.flash.Push(s, middleware.FlashMessage{Text: "twö"}))
			require.NoError(t, tc.flash.PushOnce(s, middleware.FlashMessage{Text: "one"}))
			require.Len(t, before.(*pyvalue.List).Items, 1, "who has the list keeps it as it was")
			stored, ok := s.Get(tc.key)
			require.True(t, ok)
			require.True(t, pyvalue.Equal(tc.stored, stored), "%v", stored)

			peeked, err := tc.flash.Peek(s)
			require.NoError(t, err)
			require.Equal(t, tc.shown, texts(peeked))
			popped, err := tc.flash.Pop(s)
			require.NoError(t, err)
			require.Equal(t, peeked, popped)
			_, ok = s.Get(tc.key)
			require.False(t, ok)
		})
	}
}

// Requests share the rules, each with a session of its own.
func TestRulesAreSharedByRequests(t *testing.T) {
	flash, csrf := middleware.WebHelpersFlash(), middleware.WebHelpersCSRF()
	var requests sync.WaitGroup
	for range 8 {
		s := newSession(t, nil)
		requests.Go(func() {
			for range 20 {
				_, err := csrf.Token(s)
				assert.NoError(t, err)
				assert.NoError(t, flash.Push(s, middleware.FlashMessage{Text: "one"}))
			}
			messages, err := flash.Pop(s)
			assert.NoError(t, err)
			assert.Len(t, messages, 20)
		})
	}
	requests.Wait()
}

func TestFlashCategories(t *testing.T) {
	s := newSession(t, nil)
	flash := middleware.WebHelpersFlash()
	require.NoError(t, flash.Push(s, middleware.FlashMessage{Category: "error", Text: "a"}))
	require.ErrorIs(t, flash.Push(s, middleware.FlashMessage{Category: "info", Text: "b"}), middleware.ErrFlashCategory)
	require.NoError(t, flash.PushOnce(s, middleware.FlashMessage{Category: "success", Text: "a"}))
	require.NoError(t, flash.PushOnce(s, middleware.FlashMessage{Category: "success", Text: "a"}))
	flash.Categories = nil
	require.NoError(t, flash.PushOnce(s, middleware.FlashMessage{Category: "wärning", Text: "b"}))
	require.ErrorIs(t, flash.Push(s, middleware.FlashMessage{Category: "\xff", Text: "c"}), pyvalue.ErrNotConvertible)
	got, err := flash.Pop(s)
	require.NoError(t, err)
	require.Equal(t, [][2]string{{"success", "a"}, {"wärning", "b"}}, texts(got))
	err = middleware.PyramidFlash("").Push(s, middleware.FlashMessage{Category: "error", Text: "a"})
	require.ErrorIs(t, err, middleware.ErrFlashCategory, "Pyramid has queues instead")
}

// unpickle is what Python wrote, with the protocols that Beaker uses.
func unpickle(t *testing.T, data string) pyvalue.Value {
	t.Helper()
	v, err := pickle.Decode([]byte(data), pickle.Limits{})
	require.NoError(t, err)
	return v
}

func TestFlashReadsTextClasses(t *testing.T) {
	for name, tc := range map[string]struct {
		value  pyvalue.Value
		text   string
		markup bool
	}{
		"unicode":                {str("wörld"), "wörld", false},
		"py2 str":                {pyvalue.Py2Str("w\xc3\xb6rld"), "wörld", false},
		"py2 str of no UTF-8":    {pyvalue.Py2Str("w\xf6rld"), "", false},
		"Markup":                 {unpickle(t, "\x80\x02cmarkupsafe\nMarkup\nX\x08\x00\x00\x00<b>x</b>\x85\x81."), "<b>x</b>", true},
		"Markup, protocol 4":     {unpickle(t, "\x80\x04\x8c\nmarkupsafe\x8c\x06Markup\x93\x8c\x08<b>x</b>\x85\x81."), "<b>x</b>", true},
		"literal, protocol 0":    {unpickle(t, "ccopy_reg\n_reconstructor\n(cwebhelpers.html.builder\nliteral\nc__builtin__\nunicode\nV<b>x</b>\ntR."), "<b>x</b>", true},
		"literal, 1.0":           {unpickle(t, "\x80\x02cwebhelpers.html.builder\nliteral\nX\x01\x00\x00\x00a\x85\x81}U\x08encodingU\x05utf-8sb."), "a", true},
		"TranslationString":      {unpickle(t, "\x80\x02ctranslationstring\nTranslationString\n(X\x02\x00\x00\x00idX\x01\x00\x00\x00dX\x04\x00\x00\x00textNNtR."), "text", false},
		"without a default":      {unpickle(t, "\x80\x02ctranslationstring\nTranslationString\n(X\x02\x00\x00\x00idX\x01\x00\x00\x00dNNtR."), "id", false},
		"Markup of a list":       {unpickle(t, "\x80\x02cmarkupsafe\nMarkup\n]\x85\x81."), "", false},
		"Markup of nothing":      {unpickle(t, "\x80\x02cmarkupsafe\nMarkup\n)\x81."), "", false},
		"a class like Markup":    {unpickle(t, "\x80\x02cmarkupsaf\nMarkup\nX\x01\x00\x00\x00a\x85\x81."), "", false},
		"a dict":                 {pyvalue.NewDict(), "", false},
		"a pair":                 {pyvalue.NewTuple(str("a"), str("b")), "", false},
		"a number":               {pyvalue.NewInt(3), "", false},
		"a class without a name": {&pyvalue.Object{Class: pyvalue.NewDict(), Args: pyvalue.NewTuple(str("a"))}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			queue := middleware.PyramidFlash("")
			s := newSession(t, map[string]any{"_f_": pyvalue.NewList(tc.value)})
			require.NoError(t, queue.Push(s, middleware.FlashMessage{Value: tc.value}))
			require.NoError(t, queue.PushOnce(s, middleware.FlashMessage{Value: tc.value}))
			messages, err := queue.Pop(s)
			require.NoError(t, err)
			want := middleware.FlashMessage{Text: tc.text, Markup: tc.markup, Value: tc.value}
			require.Equal(t, []middleware.FlashMessage{want, want}, messages)
		})
	}
}

func TestFlashOnceComparesAsPython(t *testing.T) {
	s := newSession(t, map[string]any{"_f_": pyvalue.NewList(pyvalue.Py2Str("a"), pyvalue.NewInt(1))})
	queue := middleware.PyramidFlash("")
	for _, m := range []middleware.FlashMessage{{Text: "a"}, {Value: pyvalue.NewInt(1)}, {Text: "b"}} {
		require.NoError(t, queue.PushOnce(s, m))
	}
	v, _ := s.Get("_f_")
	require.True(t, pyvalue.Equal(pyvalue.NewList(pyvalue.Py2Str("a"), pyvalue.NewInt(1), str("b")), v), "%v", v)
}

// Entries that are no pairs, or pairs as JSON has them, are read too.
func TestFlashReadsOtherEntries(t *testing.T) {
	odd := pyvalue.NewTuple(pyvalue.NewInt(1), str("x"))
	s := newSession(t, map[string]any{"flash": pyvalue.NewList(
		str("bare"), pyvalue.NewList(str("error"), str("json")), pyvalue.NewTuple(pyvalue.Py2Str("notice"), pyvalue.Py2Str("py2")), odd,
	)})
	messages, err := middleware.WebHelpersFlash().Pop(s)
	require.NoError(t, err)
	require.Equal(t, [][2]string{{"", "bare"}, {"error", "json"}, {"notice", "py2"}, {"", ""}}, texts(messages))
	require.Equal(t, odd, messages[3].Value)
}

func TestFlashOfAnotherType(t *testing.T) {
	flash := middleware.WebHelpersFlash()
	for _, v := range []pyvalue.Value{
		str("ab"), pyvalue.None{}, pyvalue.NewTuple(), pyvalue.NewDict(), pyvalue.NewInt(1),
		&pyvalue.Object{Class: &pyvalue.Global{Module: "m", Name: "C"}, Args: pyvalue.NewTuple()},
	} {
		s := newSession(t, map[string]any{"flash": v})
		_, err := flash.Peek(s)
		require.ErrorIs(t, err, middleware.ErrUnexpectedValue)
		_, err = flash.Pop(s)
		require.ErrorIs(t, err, middleware.ErrUnexpectedValue)
		require.ErrorIs(t, flash.Push(s, middleware.FlashMessage{Text: "a"}), middleware.ErrUnexpectedValue)
		require.ErrorIs(t, flash.PushOnce(s, middleware.FlashMessage{Text: "a"}), middleware.ErrUnexpectedValue)
		kept, _ := s.Get("flash")
		require.Equal(t, v, kept)
		require.False(t, s.Dirty())
	}
	err := flash.Push(newSession(t, nil), middleware.FlashMessage{Text: "no \xff text"})
	require.ErrorIs(t, err, pyvalue.ErrNotConvertible)
}

// values is a session that is only read.
type values map[string]pyvalue.Value

func (v values) Get(key string) (pyvalue.Value, bool) {
	got, ok := v[key]
	return got, ok
}

// Whatever a pickle holds is a list, and then as many messages, or an error.
func FuzzFlashPeek(f *testing.F) {
	f.Add([]byte("\x80\x02](X\x06\x00\x00\x00noticecmarkupsafe\nMarkup\nX\x01\x00\x00\x00a\x85\x81\x86e."))
	f.Add([]byte("\x80\x02]ctranslationstring\nTranslationString\n(X\x02\x00\x00\x00idNNtRa."))
	f.Add([]byte("ccopy_reg\n_reconstructor\n(cmarkupsafe\nMarkup\nc__builtin__\nunicode\nVx\ntR."))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pickle.Decode(data, pickle.Limits{MaxBytes: 1 << 16})
		if err != nil {
			return
		}
		for _, flash := range []middleware.Flash{middleware.WebHelpersFlash(), middleware.PyramidFlash("")} {
			messages, err := flash.Peek(values{flash.Key: v})
			if list, ok := v.(*pyvalue.List); ok {
				require.NoError(t, err)
				require.Len(t, messages, len(list.Items))
			} else {
				require.ErrorIs(t, err, middleware.ErrUnexpectedValue)
			}
		}
	})
}
