// Package pickle reads and writes Python's pickles: protocols 0 to 5 in, 0 to
// 5 out, without loss and without running anything.
//
// [Decode] gives a [pyvalue.Value], [Append] writes one. What Python wrote and
// Append wrote again gives Python an equal object: the same types, values,
// order, shared and recursive references. No class is imported and nothing is
// called; a pickle that would do harm in Python is here only a description of
// that harm.
//
// Both are bounded. [Limits] bounds what a pickle may make Decode do; every
// length in the input is checked against what is left of it before anything is
// allocated. Append writes each shared part once, so its output is in
// proportion to the value, and refuses values that nest too deeply.
//
// For values of one protocol and the plain types the output is byte for byte
// that of CPython 3.13's pickle.dumps, if equal texts in the value are one
// object in Python (which keys and attribute names are).
package pickle
