package middleware

import (
	"slices"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// markupClasses are subclasses of text whose text is HTML. A pickle has nothing
// but the text of them.
var markupClasses = []string{
	"markupsafe.Markup",
	"genshi.core.Markup",
	"webhelpers.html.builder.literal",
	"webhelpers2.html._literal.literal",
}

const translationString = "translationstring.TranslationString"

// templateText returns the text of what Python's templates take for one: text, a
// Python 2 str in UTF-8, markup, and a TranslationString, of which it is the
// default or the id, without what a translation would put in.
func templateText(v pyvalue.Value) (text string, markup, ok bool) {
	o, isObject := v.(*pyvalue.Object)
	if !isObject {
		text, ok = plainText(v)
		return text, false, ok
	}
	var args []pyvalue.Value
	if o.Args != nil {
		args = o.Args.Items
	}
	switch name := o.ClassName(); {
	case slices.Contains(markupClasses, name) && (len(args) == 1 || len(args) == 3):
		// Class(text); by protocols 0 and 1 copyreg._reconstructor(class, str, text).
		text, ok = plainText(args[len(args)-1])
		return text, ok, ok
	case name == translationString && len(args) >= 3: // id, domain, default …
		if text, ok = plainText(args[2]); !ok {
			text, ok = plainText(args[0])
		}
	}
	return text, false, ok
}

func plainText(v pyvalue.Value) (string, bool) {
	switch v := v.(type) {
	case pyvalue.Str:
		return string(v), true
	case pyvalue.Py2Str:
		if utf8.ValidString(string(v)) {
			return string(v), true
		}
	}
	return "", false
}
