package convert

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// forPython refuses what the peer's Python cannot load, and would lose the whole
// session over.
func (e *encoder) forPython() error {
	if e.target.Kind == JSON || e.target.Kind == TaggedJSON || e.target.Serializer != nil && *e.target.Serializer == beakerfmt.JSON {
		return nil
	}
	return e.loadable(e.d.Session, e.target.Peer.Python)
}

// Loadable says what in a pickled session a Python of that major version cannot load,
// and would lose the whole session over. Of one that is not known it says nothing.
func Loadable(session pyvalue.Value, python int) error { return new(encoder).loadable(session, python) }

func (e *encoder) loadable(session pyvalue.Value, python int) error {
	look := map[int]func(*walk, pyvalue.Value, bool){2: lookForPython2, 3: lookForPython3}[python]
	if look == nil {
		return nil
	}
	if w := e.walk(session, look); len(w.errors) > 0 {
		return fmt.Errorf("convert: %w: %w", ErrCannot, errors.Join(w.errors...))
	}
	return nil
}

// lookForPython3: it takes the 8-bit strings of Python 2 for ASCII.
func lookForPython3(w *walk, v pyvalue.Value, key bool) {
	if s, ok := v.(pyvalue.Py2Str); ok && !pyvalue.IsASCII(string(s)) {
		what := "value"
		if key {
			what = "key"
		}
		w.fail("a %s of type %s that is not ASCII: Python 3 does not load it, and whether it is text nobody can tell", what, pyvalue.TypeName(s))
	}
}

// lookForPython2: it does not have all of Python 3's standard library. A session's
// own classes cannot be judged.
func lookForPython2(w *walk, v pyvalue.Value, _ bool) {
	g, ok := v.(*pyvalue.Global)
	if !ok {
		return
	}
	module, name := g.Python2()
	top, _, _ := strings.Cut(module, ".")
	switch {
	case notInPython2[module+"."+name] || notInPython2[top]:
		w.fail("%s: Python 2 does not have it", g.Dotted())
	case backported[top]:
		w.note(g.Dotted() + ": Python 2 has it only if its backport is installed there")
	}
}

// notInPython2 are modules, and names of modules that Python 2.7 has, that came with
// Python 3: those of whose objects a session may hold some. Without those that
// fix_imports gives a name of Python 2 (Lib/_compat_pickle.py).
var notInPython2 = map[string]bool{
	"datetime.timezone": true, "collections.ChainMap": true, "types.SimpleNamespace": true, "types.MappingProxyType": true,
	"inspect.Signature": true, "inspect.Parameter": true, "itertools.accumulate": true,
	"__builtin__.ExceptionGroup": true, "__builtin__.BaseExceptionGroup": true, "__builtin__.RecursionError": true,
	"__builtin__.ResourceWarning": true, "__builtin__.StopAsyncIteration": true,
	"zoneinfo": true, "dataclasses": true, "asyncio": true, "statistics": true, "graphlib": true, "contextvars": true,
}

// backported are modules that Python 2 has from the package index.
var backported = map[string]bool{"enum": true, "ipaddress": true, "pathlib": true, "typing": true}
