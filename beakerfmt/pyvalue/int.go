package pyvalue

import (
	"math/big"
	"strconv"
)

// Int is Python's int of any size: Python 3's int, and Python 2's int and
// long. It is immutable.
type Int struct {
	small int64
	big   *big.Int // set only if the value does not fit small
	long  bool
	short bool // see IsPy2Int
}

// NewInt returns the int n.
func NewInt(n int64) *Int { return &Int{small: n} }

// MakeInt returns the int n as a value, for those who allocate Ints in blocks.
// long marks Python 2's long (which Python 3 reads as int).
func MakeInt(n int64, long bool) Int { return Int{small: n, long: long} }

// MakePy2Int returns n as Python 2's int, which there may have 64 bits.
func MakePy2Int(n int64) Int { return Int{small: n, short: int64(int32(n)) != n} }

// NewBigInt returns an int of any size. It copies n.
func NewBigInt(n *big.Int) *Int {
	if n.IsInt64() {
		return &Int{small: n.Int64()}
	}
	return &Int{big: new(big.Int).Set(n)}
}

// NewLong returns n as Python 2's long, which Python 3 reads as int. It copies n.
func NewLong(n *big.Int) *Int {
	i := NewBigInt(n)
	i.long = true
	return i
}

// IsLong reports whether the int was, or is to be, written as Python 2's long.
// Python 3 writes every int beyond 32 bits that way.
func (i *Int) IsLong() bool { return i.long }

// IsPy2Int reports whether the int was read as Python 2's int although it has
// more than 32 bits, so that it is to be written again as int, not as long.
func (i *Int) IsPy2Int() bool { return i.short }

// Int64 returns the value if it fits 64 bits.
func (i *Int) Int64() (int64, bool) { return i.small, i.big == nil }

// Big returns the value. The caller may change the result.
func (i *Int) Big() *big.Int {
	if i.big != nil {
		return new(big.Int).Set(i.big)
	}
	return big.NewInt(i.small)
}

// Sign returns -1, 0 or 1.
func (i *Int) Sign() int {
	if i.big != nil {
		return i.big.Sign()
	}
	switch {
	case i.small < 0:
		return -1
	case i.small > 0:
		return 1
	}
	return 0
}

// BitLen returns the length of the absolute value in bits.
func (i *Int) BitLen() int {
	if i.big != nil {
		return i.big.BitLen()
	}
	return big.NewInt(i.small).BitLen()
}

// String returns the decimal text.
func (i *Int) String() string {
	if i.big != nil {
		return i.big.String()
	}
	return strconv.FormatInt(i.small, 10)
}

func (i *Int) equal(j *Int) bool {
	if i.big == nil || j.big == nil {
		return i.big == j.big && i.small == j.small
	}
	return i.big.Cmp(j.big) == 0
}
