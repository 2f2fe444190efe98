package pickle

import "github.com/gobeaker/gobeaker/beakerfmt/pyvalue"

// Info is what [Inspect] tells about a pickle.
type Info struct {
	// Protocol is the one that the pickle announces. Pickles of protocol 0
	// and 1 announce none; they are told apart by their opcodes. So is one
	// that announces none and has opcodes of protocol 2 or more, which Python
	// reads as if it were 2.
	Protocol int
	// Length is the number of bytes up to and including STOP.
	Length int
	// Globals has the classes and functions that the pickle names, dotted as
	// they stand there, each once, in the order of their first mention.
	Globals []string
	// Python2 says that the pickle has 8-bit strings, which only Python 2
	// writes.
	Python2 bool
}

// inspection is an Info in the making.
type inspection struct {
	Info
	seen   map[string]bool
	newest int // protocol of the newest opcode
}

func (i *inspection) opcode(op byte) {
	switch op {
	case opPop, opMark, opStop, opDup, opFloat, opInt, opLong, opNone, opPersID,
		opReduce, opString, opUnicode, opAppend, opBuild, opGlobal, opDict, opGet,
		opInst, opList, opPut, opSetItem, opTuple:
	default:
		i.newest = max(i.newest, 1)
	}
	if op >= opProto || op == opBinBytes || op == opShortBinBytes {
		i.newest = max(i.newest, 2)
	}
}

func (i *inspection) note(g *pyvalue.Global) {
	name := g.Dotted()
	if i.seen[name] {
		return
	}
	if i.seen == nil {
		i.seen = map[string]bool{}
	}
	i.seen[name] = true
	i.Globals = append(i.Globals, name)
}

// Inspect tells about the pickle at the start of data. It fails where [Decode]
// fails, with the same errors.
func Inspect(data []byte, lim Limits) (Info, error) {
	i := inspection{Info: Info{Protocol: -1}}
	if _, err := decode(data, lim, &i); err != nil {
		return Info{}, err
	}
	if i.Protocol < 0 {
		i.Protocol = min(i.newest, 2)
	}
	return i.Info, nil
}
