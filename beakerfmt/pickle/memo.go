package pickle

import (
	"hash/maphash"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// textTable knows which texts were written and under which memo number. It is
// open-addressed and keeps its room between two pickles.
type textTable struct {
	seed  maphash.Seed
	slots []textSlot // a power of two of them, at most half of them taken
	taken []uint32   // which
	long  map[textRef]int32
}

type textSlot struct {
	text string
	hash uint32
	memo int32
	kind textKind // 0: free
}

// textKind keeps apart equal texts of different types.
type textKind uint8

const (
	kindStr textKind = iota + 1
	kindPy2Str
	kindBytes
)

// textRef is a long text by its address: the same text is often met again, and
// hashing it each time would let small pickles cause much work.
type textRef struct {
	at   *byte
	len  int
	kind textKind
}

const (
	firstSlots = 128
	keepSlots  = 4096
	longText   = 128 // texts from here on are looked up by address first
)

func newTextTable() textTable {
	return textTable{seed: maphash.MakeSeed(), slots: make([]textSlot, firstSlots)}
}

// find returns the memo number of a text, and the hash for add.
func (t *textTable) find(kind textKind, s string) (memo int32, hash uint32, ok bool) {
	if len(s) >= longText {
		if n, ok := t.long[textRef{pyvalue.TextAddress(s), len(s), kind}]; ok {
			return n, 0, true
		}
	}
	hash = uint32(maphash.String(t.seed, s))
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; t.slots[i].kind != 0; i = (i + 1) & mask {
		if c := &t.slots[i]; c.hash == hash && c.kind == kind && c.text == s {
			t.addLong(kind, s, c.memo)
			return c.memo, hash, true
		}
	}
	return 0, hash, false
}

// add notes a text that find did not find.
func (t *textTable) add(kind textKind, s string, hash uint32, memo int32) {
	if 2*len(t.taken) >= len(t.slots) {
		t.grow()
	}
	t.place(textSlot{text: s, hash: hash, memo: memo, kind: kind})
	t.addLong(kind, s, memo)
}

func (t *textTable) addLong(kind textKind, s string, memo int32) {
	if len(s) < longText {
		return
	}
	if t.long == nil {
		t.long = map[textRef]int32{}
	}
	t.long[textRef{pyvalue.TextAddress(s), len(s), kind}] = memo
}

func (t *textTable) place(s textSlot) {
	mask := uint32(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].kind != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
	t.taken = append(t.taken, i)
}

func (t *textTable) grow() {
	old := t.slots
	t.slots = make([]textSlot, 2*len(old))
	t.taken = t.taken[:0]
	for _, s := range old {
		if s.kind != 0 {
			t.place(s)
		}
	}
}

// reset forgets everything; it reports false if the table has become too large
// to be kept.
func (t *textTable) reset() bool {
	for _, i := range t.taken {
		t.slots[i] = textSlot{}
	}
	t.taken, t.long = t.taken[:0], nil
	return len(t.slots) <= keepSlots
}

// objectTable knows which containers and objects were met, and under which
// memo number they can be had by now.
type objectTable struct {
	met   []metObject
	index map[pyvalue.Value]int // for many
}

type metObject struct {
	v    pyvalue.Value
	memo int32 // notYet: its parts are being written
}

const (
	notYet      = -1
	scanObjects = 16 // up to here a scan is faster than a map
)

// meet returns the place of v in met, and whether it was there before.
func (t *objectTable) meet(v pyvalue.Value) (at int, before bool) {
	if t.index != nil {
		if i, ok := t.index[v]; ok {
			return i, true
		}
	} else {
		for i := range t.met {
			if t.met[i].v == v {
				return i, true
			}
		}
	}
	t.met = append(t.met, metObject{v, notYet})
	switch n := len(t.met); {
	case t.index != nil:
		t.index[v] = n - 1
	case n > scanObjects:
		t.index = make(map[pyvalue.Value]int, 2*n)
		for i, o := range t.met {
			t.index[o.v] = i
		}
	}
	return len(t.met) - 1, false
}

func (t *objectTable) reset() bool {
	clear(t.met)
	t.met, t.index = t.met[:0], nil
	return cap(t.met) <= keepSlots
}
