package pickle

import (
	"errors"
	"fmt"
)

// Sentinels, found by errors.Is in what this package returns.
var (
	// ErrSyntax: the input is no pickle, is cut short, or does what Python
	// would refuse.
	ErrSyntax = errors.New("malformed pickle")
	// ErrLimit: the input or the value is beyond a limit.
	ErrLimit = errors.New("limit exceeded")
	// ErrBuffers: the pickle refers to buffers that were sent beside it
	// (protocol 5, out-of-band).
	ErrBuffers = errors.New("out-of-band buffers are not supported")
	// ErrUnsupported: the value cannot be written at this protocol, or at any.
	ErrUnsupported = errors.New("value cannot be pickled")
)

// Error is what [Decode] and [Inspect] return: which opcode failed and why. It
// never holds a part of the data.
type Error struct {
	Offset int    // of the opcode, in bytes from the start of the input
	Op     string // Python's name of the opcode; empty if the input ended where one was due
	Detail string
	Err    error // the sentinel
}

// Error returns the message.
func (e *Error) Error() string {
	op := e.Op
	if op == "" {
		op = "opcode"
	}
	return fmt.Sprintf("pickle: decode: %s at offset %d: %s: %v", op, e.Offset, e.Detail, e.Err)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// fault is an Error before it is known where it happened.
type fault struct {
	err    error
	detail string
}

func (f *fault) Error() string { return f.detail }

func syntax(detail string) error { return &fault{ErrSyntax, detail} }
func limit(detail string) error  { return &fault{ErrLimit, detail} }

func unsupported(detail string) error {
	return fmt.Errorf("pickle: append: %s: %w", detail, ErrUnsupported)
}

func tooMuch(detail string) error {
	return fmt.Errorf("pickle: append: %s: %w", detail, ErrLimit)
}
