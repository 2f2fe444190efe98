package inspect

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
)

// maxInflated is how far a zlib stream is followed, in bytes. The codec has
// inflated it before, within its own limit.
const maxInflated = 64 << 20

func inflatedLen(data []byte) int {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(r, maxInflated))
	return int(n)
}

// memoStart tells how a pickle of protocol 2 numbers what it remembers: Python
// 2's cPickle from 1 on, Python 3 from 0.
func memoStart(data []byte) (start int, ok bool) {
	const dict = "\x80\x02}q"
	if len(data) <= len(dict) || !strings.HasPrefix(string(data[:len(dict)]), dict) {
		return 0, false
	}
	start = int(data[len(dict)])
	return start, start < 2
}
