package zlibsize

import "math/bits"

const (
	// zlib has room for 16384 symbols, and ends a block one before that.
	blockSymbols = 1<<14 - 1

	literals   = 286 // bytes, the end of the block, and the lengths of matches
	distances  = 30
	endOfBlock = 256

	codeBits   = 15 // the longest code of a literal or a distance
	lengthBits = 7  // of the code in which the lengths of those are written
)

// block counts the symbols of one block.
type block struct {
	tree      *tree
	start     int // where its bytes begin in the input
	symbols   int
	literals  [literals]int
	distances [distances]int
}

func (b *block) full() bool { return b.symbols == blockSymbols }

func (b *block) literal(c byte) {
	b.symbols++
	b.literals[c]++
}

func (b *block) match(m match) {
	b.symbols++
	b.literals[lengthSymbol(m.length)]++
	b.distances[distanceSymbol(m.distance)]++
}

// lengthSymbol and distanceSymbol are the tables of RFC 1951, 3.2.5.
func lengthSymbol(length int) int {
	n := uint(length - minMatch)
	switch {
	case n < 4:
		return 257 + int(n)
	case length == maxMatch:
		return 285
	}
	k := bits.Len(n) - 3
	return 257 + 4*(k+1) + int(n>>k)%4
}

func distanceSymbol(distance int) int {
	n := uint(distance - 1)
	if n < 2 {
		return int(n)
	}
	k := bits.Len(n) - 2
	return 2*(k+1) + int(n>>k)%2
}

// lengthExtra and distanceExtra are how many plain bits follow a symbol.
func lengthExtra(symbol int) int {
	if symbol < 265 || symbol == 285 {
		return 0
	}
	return (symbol - 261) / 4
}

func distanceExtra(symbol int) int {
	return max(symbol/2-1, 0)
}

// end returns total, in bits, with the block added whose bytes end before end,
// and begins the next block. As trees.c it takes the shortest of the three forms,
// by whole bytes.
func (b *block) end(total, end int) int {
	const kind = 3 // bits that say which form follows, and whether it is the last
	b.literals[endOfBlock] = 1
	fixed, dynamic := kind+b.fixedBits(), kind+b.dynamicBits()
	coded := dynamic
	if (fixed+7)/8 <= (dynamic+7)/8 {
		coded = fixed
	}
	plain := 4 + end - b.start // its length, twice, and its bytes
	if plain <= (coded+7)/8 {
		total = (total+kind+7)/8*8 + 8*plain
	} else {
		total += coded
	}
	*b = block{tree: b.tree, start: end}
	return total
}

// fixedBits is the length in the code of RFC 1951, 3.2.6.
func (b *block) fixedBits() int {
	total := 0
	for symbol, n := range b.literals {
		length := 8
		switch {
		case symbol >= 144 && symbol < 256:
			length = 9
		case symbol >= 256 && symbol < 280:
			length = 7
		}
		total += n * (length + lengthExtra(symbol))
	}
	for symbol, n := range b.distances {
		total += n * (5 + distanceExtra(symbol))
	}
	return total
}

// dynamicBits is the length in codes of its own, and of these codes.
func (b *block) dynamicBits() int {
	var lengths runs
	total := 0
	code := b.tree.lengths(b.literals[:], codeBits)
	lengths.add(code)
	for symbol, length := range code {
		total += b.literals[symbol] * (length + lengthExtra(symbol))
	}
	code = b.tree.lengths(b.distances[:], codeBits)
	lengths.add(code)
	for symbol, length := range code {
		total += b.distances[symbol] * (length + distanceExtra(symbol))
	}
	return total + lengths.bits(b.tree)
}

// How the lengths of a code are written (RFC 1951, 3.2.7): as they are, or as
// one of these.
const (
	repeat     = 16 // the one before, 3 to 6 times
	zeros      = 17 // 3 to 10 zeros
	manyZeros  = 18 // 11 to 138 zeros
	runSymbols = 19
)

// runs counts the symbols for the lengths of a block's codes.
type runs [runSymbols]int

// add counts a code. The runs are those of scan_tree in trees.c: as long as can
// be, and none over two codes.
func (r *runs) add(code []int) {
	before := -1
	for i := 0; i < len(code); {
		length, n := code[i], 1
		// The first of a run of equal lengths is written out. A run that goes on
		// after a repeat needs that no more.
		least, most := 4, 7
		switch length {
		case 0:
			least, most = 3, 138
		case before:
			least, most = 3, 6
		}
		for i+n < len(code) && code[i+n] == length && n < most {
			n++
		}
		i += n
		switch {
		case n < least:
			r[length] += n
		case length == 0 && n <= 10:
			r[zeros]++
		case length == 0:
			r[manyZeros]++
		default:
			if length != before {
				r[length]++
			}
			r[repeat]++
		}
		before = length
	}
}

// bits is the length of the counted symbols, their code and the header of both.
func (r *runs) bits(t *tree) int {
	var code [runSymbols]int
	copy(code[:], t.lengths(r[:], lengthBits))
	// The lengths of this code are written in this order, up to the last that is not 0.
	order := [runSymbols]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	written := runSymbols
	for written > 3 && code[order[written-1]] == 0 {
		written--
	}
	total := 5 + 5 + 4 + 3*written
	for symbol, n := range r {
		extra := 0
		switch symbol {
		case repeat:
			extra = 2
		case zeros:
			extra = 3
		case manyZeros:
			extra = 7
		}
		total += n * (code[symbol] + extra)
	}
	return total
}
