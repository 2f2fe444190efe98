package beakerfmt

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	// The standard library's takes two to three times as long to write a session.
	"github.com/klauspost/compress/zlib"

	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
)

var errInflated = fmt.Errorf("zlib stream: %w", pyjson.ErrLimit)

// Compressors are large (0.8 MiB to write, 40 KiB to read), so they are kept.
var (
	deflaters = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}
	inflaters sync.Pool
)

// inflate undoes zlib.compress. A few bytes can stand for a thousand times as
// many, so the limit is on the output.
func inflate(raw []byte, limit int) ([]byte, error) {
	if limit <= 0 {
		limit = defaultMaxInflated
	}
	r, err := openInflater(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(r)
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(out) > limit {
		return nil, errInflated
	}
	return out, nil
}

func openInflater(src io.Reader) (io.Reader, error) {
	if r, ok := inflaters.Get().(io.Reader); ok {
		return r, r.(zlib.Resetter).Reset(src, nil)
	}
	return zlib.NewReader(src)
}

func deflate(doc []byte) ([]byte, error) {
	var out bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(doc); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}
