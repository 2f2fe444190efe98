package zlibsize

// tree makes the Huffman codes of build_tree in trees.c. Every Huffman code is
// equally long on the whole, but not the list of its lengths: so ties must be
// resolved as they are there.
type tree struct {
	nodes [2*literals - 1]node // first the symbols
	code  [literals]int
	heap  []int // nodes without parent, the rarest first
	taken []int // nodes in the order in which they left the heap
}

type node struct {
	count  int
	depth  int // levels below it, of which zlib wants few
	parent int
	length int // of its code
}

// lengths returns the lengths of the codes of the symbols, up to the last symbol
// that has one, none longer than most. It is valid until the next call.
func (t *tree) lengths(counts []int, most int) []int {
	t.heap, t.taken = t.heap[:0], t.taken[:0]
	last := -1
	for symbol, n := range counts {
		t.nodes[symbol] = node{count: n}
		if n > 0 {
			t.heap = append(t.heap, symbol)
			last = symbol
		}
	}
	// Old decoders want two codes, so unused symbols get one.
	for len(t.heap) < 2 {
		unused := 0
		if last < 2 {
			last++
			unused = last
		}
		t.nodes[unused].count = 1
		t.heap = append(t.heap, unused)
	}
	t.join(len(counts))
	t.measure(len(counts), most)
	for symbol := range last + 1 {
		t.code[symbol] = t.nodes[symbol].length
	}
	return t.code[:last+1]
}

// join puts the two rarest nodes below a new one until there is one left.
func (t *tree) join(next int) {
	for i := len(t.heap)/2 - 1; i >= 0; i-- {
		t.sink(i)
	}
	for ; len(t.heap) > 1; next++ {
		a := t.heap[0]
		end := len(t.heap) - 1
		t.heap[0] = t.heap[end]
		t.heap = t.heap[:end]
		t.sink(0)
		b := t.heap[0]
		t.taken = append(t.taken, a, b)
		one, other := &t.nodes[a], &t.nodes[b]
		one.parent, other.parent = next, next
		t.nodes[next] = node{count: one.count + other.count, depth: 1 + max(one.depth, other.depth)}
		t.heap[0] = next
		t.sink(0)
	}
}

// before reports whether node a is to leave the heap before b. Of equal nodes
// either is.
func (t *tree) before(a, b int) bool {
	x, y := &t.nodes[a], &t.nodes[b]
	return x.count < y.count || x.count == y.count && x.depth <= y.depth
}

// sink restores the order of the heap after its i-th node has changed. What
// container/heap does with equal nodes is not what zlib does.
func (t *tree) sink(i int) {
	moved := t.heap[i]
	for child := 2*i + 1; child < len(t.heap); child = 2*i + 1 {
		if child+1 < len(t.heap) && t.before(t.heap[child+1], t.heap[child]) {
			child++
		}
		if t.before(moved, t.heap[child]) {
			break
		}
		t.heap[i] = t.heap[child]
		i = child
	}
	t.heap[i] = moved
}

// measure finds the lengths of the codes of the first nodes, which are the
// symbols. Codes that are too long are made shorter at the cost of others, as
// gen_bitlen in trees.c does it.
func (t *tree) measure(symbols, most int) {
	var have [codeBits + 1]int // symbols by length
	tooLong := 0               // nodes, also those that are no symbols
	for i := len(t.taken) - 1; i >= 0; i-- {
		n := &t.nodes[t.taken[i]]
		n.length = t.nodes[n.parent].length + 1
		if n.length > most {
			n.length = most
			tooLong++
		}
		if t.taken[i] < symbols {
			have[n.length]++
		}
	}
	if tooLong == 0 {
		return
	}
	for ; tooLong > 0; tooLong -= 2 {
		// A code that has room below it takes the place of two, and one of those
		// that are too long becomes its sibling.
		length := most - 1
		for have[length] == 0 {
			length--
		}
		have[length]--
		have[length+1] += 2
		have[most]--
	}
	// The rarest symbols get the longest codes.
	next := 0
	for length := most; length > 0; length-- {
		for n := have[length]; n > 0; next++ {
			if t.taken[next] < symbols {
				t.nodes[t.taken[next]].length = length
				n--
			}
		}
	}
}
