package dbmstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The format of GNU dbm (gdbmdefs.h, gdbmconst.h of gdbm 1.23). A file is a header, a
// directory of bucket addresses by the first bits of a key's hash, buckets, each a hash
// table that knows where keys and values lie, and those. Numbers are in the byte order,
// width and alignment of the machine that made it.

// Magic numbers. The extended ones have a counter of synchronizations behind the header.
const (
	gnuMagicOld    = 0x13579ace // offsets of whatever width off_t had
	gnuMagic32     = 0x13579acd
	gnuMagic64     = 0x13579acf
	gnuMagic32Sync = 0x13579ad0
	gnuMagic64Sync = 0x13579ad1
)

const (
	gnuHashBits  = 31
	gnuSmall     = 4 // so many bytes of a key stand in its bucket
	gnuAvail     = 6 // so many free places stand in a bucket
	gnuBlockSize = 4096
	gnuIgnore    = 4 // a free place of no more than that is forgotten

	// Bounds of what is read: gdbm makes directories of 2^28 entries, sessions have
	// those of their first block.
	maxGNUBlock   = 1 << 20
	maxGNUBuckets = 4096
)

var (
	errGNU      = errors.New("not a database of GNU dbm, or a damaged one")
	errGNUEmpty = errors.New("a database of GNU dbm that is being made")
)

// gnuLayout is how the structs of a file lie.
type gnuLayout struct {
	order binary.ByteOrder
	off   int // bytes of a file offset
	align int // to what offsets are aligned
}

// gnuLayouts are those of the 64-bit systems, of old 32-bit ones, and of i386 with
// large files.
func gnuLayouts(order binary.ByteOrder, magic uint32) []gnuLayout {
	wide, narrow, i386 := gnuLayout{order, 8, 8}, gnuLayout{order, 4, 4}, gnuLayout{order, 8, 4}
	switch magic {
	case gnuMagic32, gnuMagic32Sync:
		return []gnuLayout{narrow}
	case gnuMagic64, gnuMagic64Sync:
		return []gnuLayout{wide, i386}
	case gnuMagicOld:
		return []gnuLayout{wide, narrow, i386}
	}
	return nil
}

// header is sizeof(gdbm_file_header).
func (l gnuLayout) header() int { return 24 + 2*l.off }

// place is sizeof(avail_elem).
func (l gnuLayout) place() int { return l.align + l.off }

// table is where a bucket's hash table begins.
func (l gnuLayout) table() int { return l.align + gnuAvail*l.place() + 8 }

// element is sizeof(bucket_element), and elements how many a bucket has.
func (l gnuLayout) element() int                { return 8 + l.off + 8 }
func (l gnuLayout) elements(bucketSize int) int { return (bucketSize - l.table()) / l.element() }

// places is how many free places a header of one block has room for.
func (l gnuLayout) places(blockSize int) int {
	return (blockSize - l.header() - 8 - l.off) / l.place()
}

func (l gnuLayout) offset(b []byte) int64 {
	if l.off == 4 {
		return int64(int32(l.order.Uint32(b)))
	}
	return int64(l.order.Uint64(b))
}

func (l gnuLayout) putOffset(b []byte, n int64) {
	if l.off == 4 {
		l.order.PutUint32(b, uint32(n))
		return
	}
	l.order.PutUint64(b, uint64(n))
}

func (l gnuLayout) int(b []byte) int { return int(int32(l.order.Uint32(b))) }

// gnuFile is an open file.
type gnuFile struct {
	gnuLayout
	r          io.ReaderAt
	size       int64
	dir        int64
	dirSize    int
	dirBits    int
	bucketSize int
	elems      int
}

// openGNU reads the header of a file of that size. An error wraps errGNU or errGNUEmpty,
// or is one of r.
func openGNU(r io.ReaderAt, size int64) (*gnuFile, error) {
	var h [40]byte
	if size < int64(len(h)) {
		return nil, errGNUEmpty
	}
	if err := readAt(r, h[:], 0); err != nil {
		return nil, err
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, l := range gnuLayouts(order, order.Uint32(h[:])) {
			f := &gnuFile{gnuLayout: l, r: r, size: size}
			if err := f.readHeader(h[8:]); err == nil || errors.Is(err, errGNUEmpty) {
				return f, err
			}
		}
	}
	return nil, errGNU
}

// readHeader reads what follows the magic number and the block size.
func (f *gnuFile) readHeader(h []byte) error {
	f.dir = f.offset(h)
	h = h[f.off:]
	f.dirSize, f.dirBits, f.bucketSize, f.elems = f.int(h), f.int(h[4:]), f.int(h[8:]), f.int(h[12:])
	switch {
	case f.bucketSize < f.table() || f.bucketSize > maxGNUBlock || f.elems != f.elements(f.bucketSize):
		return errGNU
	case f.dir < int64(f.header()) || f.dir > 1<<62 || f.dirBits < 3 || f.dirBits >= gnuHashBits || f.dirSize != f.off<<f.dirBits:
		return errGNU
	case f.dir+int64(f.dirSize) >= f.size:
		if f.size <= 2*int64(f.bucketSize) { // its first bucket, which never had an element, is still to come
			return errGNUEmpty
		}
		return errGNU
	}
	return nil
}

// gnuEntry is a key and its value.
type gnuEntry struct {
	hash       uint32
	key, value []byte
}

// get returns the value of a key, of no more than limit bytes. That there is none is
// nil without an error.
func (f *gnuFile) get(key string, limit int64) ([]byte, error) {
	hash := gnuHash(key)
	var at [8]byte
	if err := f.read(at[:f.off], f.dir+int64(hash>>(gnuHashBits-f.dirBits))*int64(f.off)); err != nil {
		return nil, err
	}
	elements, err := f.bucket(f.offset(at[:]))
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		if e.hash != hash || int(e.keySize) != len(key) {
			continue
		}
		stored := make([]byte, len(key))
		if err := f.read(stored, e.at); err != nil {
			return nil, err
		}
		if string(stored) == key {
			entry, err := f.entry(e, limit)
			return entry.value, err
		}
	}
	return nil, nil
}

// all returns every key and value, of no more than limit bytes together.
func (f *gnuFile) all(limit int64) ([]gnuEntry, error) {
	if f.dirSize > f.off*maxGNUBuckets {
		return nil, fmt.Errorf("%w: its directory is too large for a session", errGNU)
	}
	dir := make([]byte, f.dirSize)
	if err := f.read(dir, f.dir); err != nil {
		return nil, err
	}
	var all []gnuEntry
	seen := map[int64]bool{}
	rest := f.size // buckets do not overlap
	for ; len(dir) > 0; dir = dir[f.off:] {
		at := f.offset(dir)
		if seen[at] {
			continue
		}
		seen[at] = true
		if rest -= int64(f.bucketSize); rest < 0 {
			return nil, errGNU
		}
		elements, err := f.bucket(at)
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			entry, err := f.entry(e, limit)
			if err != nil {
				return nil, err
			}
			limit -= int64(len(entry.key) + len(entry.value))
			all = append(all, entry)
		}
	}
	return all, nil
}

// gnuElement is an element of a bucket.
type gnuElement struct {
	hash              uint32
	at                int64
	keySize, dataSize int32
}

// bucket reads the elements of the bucket at an offset.
func (f *gnuFile) bucket(at int64) ([]gnuElement, error) {
	b := make([]byte, f.bucketSize)
	if err := f.read(b, at); err != nil {
		return nil, err
	}
	var elements []gnuElement
	b = b[f.table():]
	for range f.elems {
		e := gnuElement{
			hash: f.order.Uint32(b), at: f.offset(b[4+gnuSmall:]),
			keySize: int32(f.int(b[8+f.off:])), dataSize: int32(f.int(b[12+f.off:])),
		}
		b = b[f.element():]
		if int32(e.hash) != -1 {
			elements = append(elements, e)
		}
	}
	return elements, nil
}

var errGNUSize = fmt.Errorf("%w: beyond the size limit", errGNU)

// entry reads a key and its value.
func (f *gnuFile) entry(e gnuElement, limit int64) (gnuEntry, error) {
	if e.keySize < 0 || e.dataSize < 0 {
		return gnuEntry{}, errGNU
	}
	n := int64(e.keySize) + int64(e.dataSize)
	if n > limit && n <= f.size {
		return gnuEntry{}, errGNUSize
	}
	if n > f.size {
		return gnuEntry{}, errGNU
	}
	b := make([]byte, n)
	if err := f.read(b, e.at); err != nil {
		return gnuEntry{}, err
	}
	return gnuEntry{e.hash, b[:e.keySize:e.keySize], b[e.keySize:]}, nil
}

// read fills b from an offset that the file names.
func (f *gnuFile) read(b []byte, at int64) error {
	if at < 0 || at > f.size || int64(len(b)) > f.size-at {
		return errGNU
	}
	return readAt(f.r, b, at)
}

// readAt fills b. That the file has become shorter is errGNU.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return errGNU
	}
	return err
}

// gnuHash is gdbm's hash of a key (hash.c, _gdbm_hash), of which the bytes are ASCII:
// of others it depends on whether a char has a sign.
func gnuHash(key string) uint32 {
	value := 0x238F13AF * uint32(len(key))
	for i := range len(key) {
		value = (value + uint32(key[i])<<(i*5%24)) & 0x7FFFFFFF
	}
	return (1103515243*value + 12345) & 0x7FFFFFFF
}

var errGNUKeys = errors.New("the database has more keys than a bucket of GNU dbm holds")

// appendGNU encodes a new file, as gdbm lays out one of which the directory has one
// bucket: header, directory, bucket and values.
func appendGNU(l gnuLayout, all []gnuEntry) ([]byte, error) {
	const block = gnuBlockSize
	elems := l.elements(block)
	if len(all) > elems {
		return nil, errGNUKeys
	}
	file := make([]byte, 3*block)
	bucket := file[2*block:]
	for i := range elems {
		l.order.PutUint32(bucket[l.table()+i*l.element():], 0xFFFFFFFF)
	}
	for _, e := range all {
		slot := int(e.hash) % elems
		for l.int(bucket[l.table()+slot*l.element():]) != -1 {
			slot = (slot + 1) % elems
		}
		b := file[2*block+l.table()+slot*l.element():]
		l.order.PutUint32(b, e.hash)
		copy(b[4:4+gnuSmall], e.key)
		l.putOffset(b[4+gnuSmall:], int64(len(file)))
		l.order.PutUint32(b[8+l.off:], uint32(len(e.key)))
		l.order.PutUint32(b[12+l.off:], uint32(len(e.value)))
		file = append(append(file, e.key...), e.value...)
		bucket = file[2*block : 3*block]
	}
	free := len(file)
	if file = append(file, make([]byte, (block-free%block)%block)...); len(file) == 3*block {
		file = append(file, make([]byte, block)...) // as in a fresh file
	}
	bucket = file[2*block : 3*block]
	if n := len(file) - free; n > gnuIgnore {
		l.order.PutUint32(bucket, 1)
		l.order.PutUint32(bucket[l.align:], uint32(n))
		l.putOffset(bucket[2*l.align:], int64(free))
	}
	l.order.PutUint32(bucket[l.table()-4:], uint32(len(all)))
	bits := l.putDirectory(file[block : 2*block])
	l.putHeader(file, bits)
	return file, nil
}

// putDirectory fills the directory's block with the address of the only bucket, and
// returns how many bits of a hash are an index of it.
func (l gnuLayout) putDirectory(dir []byte) (bits int) {
	for bits = 3; l.off<<bits < len(dir); bits++ {
	}
	for ; len(dir) > 0; dir = dir[l.off:] {
		l.putOffset(dir, 2*gnuBlockSize)
	}
	return bits
}

func (l gnuLayout) putHeader(file []byte, bits int) {
	magic := uint32(gnuMagic64)
	if l.off == 4 {
		magic = gnuMagic32
	}
	l.order.PutUint32(file, magic)
	l.order.PutUint32(file[4:], gnuBlockSize)
	l.putOffset(file[8:], gnuBlockSize)
	h := file[8+l.off:]
	l.order.PutUint32(h, gnuBlockSize)
	l.order.PutUint32(h[4:], uint32(bits))
	l.order.PutUint32(h[8:], gnuBlockSize)
	l.order.PutUint32(h[12:], uint32(l.elements(gnuBlockSize)))
	l.putOffset(h[16:], int64(len(file)))
	l.order.PutUint32(h[16+l.off:], uint32(l.places(gnuBlockSize)))
}
