package pickle

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

func (e *encoder) saveBuiltin(name string) error {
	return e.saveGlobal(&pyvalue.Global{Module: "builtins", Name: name})
}

func (e *encoder) saveGlobal(g *pyvalue.Global) error {
	if g == nil || g.Module == "" || g.Name == "" {
		return unsupported("class without a name")
	}
	e.boundary()
	var key pyvalue.Global
	var err error
	if key.Module, key.Name, err = e.spelled(g); err != nil {
		return err
	}
	key.Py2 = g.Py2 && e.proto < 3 && strings.Contains(key.Name, ".") // see writeGlobal
	if n, ok := e.globals[key]; ok {
		e.get(n)
		return nil
	}
	if err := e.writeGlobal(key); err != nil {
		return err
	}
	if e.globals == nil {
		e.globals = map[pyvalue.Global]int32{}
	}
	e.globals[key] = e.put()
	return nil
}

// spelled returns the name of g in the protocol's vocabulary. A module that has
// the name of the builtins in the other vocabulary only is another module, which
// there is no way to name.
func (e *encoder) spelled(g *pyvalue.Global) (module, name string, err error) {
	switch {
	case e.proto >= 3 && g.Py2 && g.Module == "builtins":
		return "", "", unsupported("module builtins of Python 2, which needs protocol 2 or less")
	case e.proto < 3 && !g.Py2 && g.Module == "__builtin__":
		return "", "", unsupported("module __builtin__ of Python 3, which needs protocol 3 or more")
	}
	if e.proto >= 3 {
		module, name = g.Python3()
		return module, name, nil
	}
	if top, rest, dotted := strings.Cut(g.Name, "."); dotted && !g.Py2 {
		module, top = (&pyvalue.Global{Module: g.Module, Name: top}).Python2()
		return module, top + "." + rest, nil
	}
	module, name = g.Python2()
	return module, name, nil
}

func (e *encoder) writeGlobal(g pyvalue.Global) error {
	if e.proto >= 4 {
		if err := e.saveStr(g.Module); err != nil {
			return err
		}
		if err := e.saveStr(g.Name); err != nil {
			return err
		}
		e.out = append(e.out, opStackGlobal)
		return nil
	}
	// What Python 2 named has no nested name; a dot in it is one of its own.
	if g.Py2 || !strings.Contains(g.Name, ".") {
		return e.nameLines(opGlobal, g.Module, g.Name)
	}
	return e.nested(g)
}

// nested writes getattr(getattr(Outer, "Inner"), "Innermost") for a class
// inside of classes: before protocol 4 there is no other way to name it.
func (e *encoder) nested(g pyvalue.Global) error {
	names := strings.Split(g.Name, ".")
	inner := names[1:]
	if len(inner) > maxNestedNames {
		return tooMuch("name has too many parts")
	}
	for range inner {
		if err := e.saveBuiltin("getattr"); err != nil {
			return err
		}
		if e.proto < 2 {
			e.out = append(e.out, opMark)
		}
	}
	if err := e.nameLines(opGlobal, g.Module, names[0]); err != nil {
		return err
	}
	for _, name := range inner {
		if err := e.saveStr(name); err != nil {
			return err
		}
		e.tupleOf(2, e.proto >= 2)
		e.out = append(e.out, opReduce)
	}
	return nil
}

// maxNestedNames bounds how deeply a class may be nested in classes where that
// makes the pickle nest.
const maxNestedNames = 100

// nameLines writes an opcode that is followed by module and name on a line
// each. Python 3 has other than ASCII names from protocol 3 on.
func (e *encoder) nameLines(op byte, module, name string) error {
	for _, s := range [2]string{module, name} {
		if s == "" || strings.IndexByte(s, '\n') >= 0 || !validText(s) {
			return unsupported("name of a class is not one line of text")
		}
		if e.proto < 3 && !pyvalue.IsASCII(s) {
			return unsupported("name of a class is not ASCII, which needs protocol 3")
		}
	}
	e.out = append(append(e.out, op), module...)
	e.out = append(append(e.out, '\n'), name...)
	e.out = append(e.out, '\n')
	return nil
}

func (e *encoder) saveExtension(code uint32) error {
	switch {
	case code == 0 || code > math.MaxInt32:
		return unsupported("extension code out of range")
	case code <= 0xff:
		e.out = append(e.out, opExt1, byte(code))
	case code <= 0xffff:
		e.out = append(e.out, opExt2, byte(code), byte(code>>8))
	default:
		e.out = binary.LittleEndian.AppendUint32(append(e.out, opExt4), code)
	}
	return nil
}
