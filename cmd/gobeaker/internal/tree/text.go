package tree

import "strings"

// AppendText appends the tree as lines of text, the root first:
//
//	dict: 2 keys
//	├─ 'user'  str: 'ada'
//	└─ 'cart'  list: 1 item
//	   └─ 0  int: 7
//
// What a terminal would take for an instruction is escaped by the reprs of
// which the tree is made.
func (n Node) AppendText(dst []byte) []byte { return n.lines(dst, "", "") }

// lines writes n with the given indents of its first and of its further
// lines. The depth is that of the tree, which is bounded.
func (n Node) lines(dst []byte, first, rest string) []byte {
	dst = append(dst, first...)
	dst = append(dst, n.line()...)
	dst = append(dst, '\n')
	for i, c := range n.Children {
		if i == len(n.Children)-1 {
			dst = c.lines(dst, rest+"└─ ", rest+"   ")
		} else {
			dst = c.lines(dst, rest+"├─ ", rest+"│  ")
		}
	}
	return dst
}

func (n Node) line() string {
	var b strings.Builder
	if n.Label != "" {
		b.WriteString(n.Label + "  ")
	}
	if n.Type != "" {
		b.WriteString(n.Type + ": ")
	}
	b.WriteString(n.Text)
	if n.Note != "" {
		b.WriteString("  (" + n.Note + ")")
	}
	return b.String()
}
