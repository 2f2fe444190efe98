// Package pyvalue holds Python values in Go and loses nothing of them.
//
// [Value] is a sealed sum type. A decoder (package pickle, package pyjson)
// makes Values, an encoder writes them again, and the Python that wrote the
// original finds an equal object: types, order, shared and recursive
// references.
//
//	Python                      Go                     notes
//	None                        None
//	bool                        Bool
//	int, Python 2 int and long  *Int                   any size; IsLong tells Python 2's long
//	float                       Float
//	complex                     Complex
//	str, Python 2 unicode       Str                    UTF-8; a lone surrogate stands as its 3-byte form
//	Python 2 str                Py2Str                 8-bit string, no encoding known
//	bytes (Python 3)            Bytes
//	bytearray                   *ByteArray
//	list                        *List
//	tuple                       *Tuple
//	dict                        *Dict                  keeps order
//	set, frozenset              *Set, *FrozenSet       keep the order of the pickle
//	a class or a function       *Global                by module and name
//	copyreg extension code      Extension
//	pickle's persistent id      *Persistent
//	any other object            *Object                how it was made, and what was done to it
//
// What may be shared or refer to itself is a pointer, so two references to one
// Python object are one pointer here. Numbers, strings and bytes are plain
// values: Python code cannot rely on their identity.
//
// Objects stay Objects: nothing is imported, called or interpreted. The
// converters ([AsTime], [FromGo], [ToGo] …) give natural Go values for the
// well-known classes to those who ask.
//
// Values are not safe for concurrent mutation; concurrent reading is safe.
package pyvalue
