//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// Each benchmark of the store stands beside one that makes the same system
// calls, decodes and encodes, and does nothing else: no check of the id, no
// paths made of it, no context, no lock within the process, no look at whether
// the lock file is still the one that the path names.

// typicalSession is what an application of middling habits keeps.
func typicalSession() *pyvalue.Dict {
	d := pyvalue.NewDict()
	d.SetStr("_accessed_time", pyvalue.Float(1700000000.25))
	d.SetStr("_creation_time", pyvalue.Float(1700000000.25))
	d.SetStr("_domain", pyvalue.None{})
	d.SetStr("_path", pyvalue.Str("/"))
	d.SetStr("user_id", pyvalue.NewInt(123456))
	d.SetStr("user_name", pyvalue.Str("somebody@example.org"))
	d.SetStr("_authentication_token", pyvalue.Str("219481028379486120984610928365019283"))
	d.SetStr("lang", pyvalue.Str("en"))
	d.SetStr("cart", pyvalue.NewList(pyvalue.NewInt(1), pyvalue.NewInt(2), pyvalue.NewInt(3)))
	d.SetStr("flash", pyvalue.NewList(pyvalue.NewTuple(pyvalue.Str("notice"), pyvalue.Str("saved"))))
	return d
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	s := open(b, Options{})
	require.NoError(b, s.Put(b.Context(), testID, typicalSession()))
	return s
}

func BenchmarkGet(b *testing.B) {
	s, ctx := benchStore(b), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(ctx, testID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareGet(b *testing.B) {
	s := benchStore(b)
	paths := newBarePaths(s)
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if err := bareGet(paths, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s, ctx := benchStore(b), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Update(ctx, testID, increment("n")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareUpdate(b *testing.B) {
	s := benchStore(b)
	paths := newBarePaths(s)
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if err := bareUpdate(paths, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutNew(b *testing.B) {
	s, ctx, d, n := benchStore(b), b.Context(), typicalSession(), 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		if err := s.Put(ctx, fmt.Sprintf("%032x", n), d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetUnknown(b *testing.B) {
	s, ctx := benchStore(b), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(ctx, "00000000000000000000000000000000"); err == nil {
			b.Fatal("there is no such record")
		}
	}
}

func BenchmarkGetParallel(b *testing.B) {
	s, ctx := benchStore(b), b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Get(ctx, testID); err != nil {
				b.Error(err)
			}
		}
	})
}

type barePaths struct{ lock, data, temp string }

func newBarePaths(s *Store) barePaths {
	data := s.recordPath(testID)
	return barePaths{s.locks.Path(testID), data, data + tempSuffix}
}

func bareGet(p barePaths, buf []byte) error {
	lock, err := bareLock(p.lock, os.O_RDONLY, syscall.LOCK_SH)
	if err != nil {
		return err
	}
	data, err := bareRead(p.data, buf)
	syscall.Close(lock)
	if err != nil {
		return err
	}
	_, err = beakerfmt.DecodeContainer(data, pickle.Limits{})
	return err
}

func bareUpdate(p barePaths, buf []byte) error {
	lock, err := bareLock(p.lock, os.O_WRONLY, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer syscall.Close(lock)
	data, err := bareRead(p.data, buf)
	if err != nil {
		return err
	}
	c, err := beakerfmt.DecodeContainer(data, pickle.Limits{})
	if err != nil {
		return err
	}
	v, _ := c.GetStr(beakerfmt.SessionKey)
	if v, err = increment("n")(v); err != nil {
		return err
	}
	c.SetStr(beakerfmt.SessionKey, v)
	if data, err = beakerfmt.AppendContainer(buf[:0], c, 2); err != nil {
		return err
	}
	return bareWrite(p, data)
}

func bareLock(path string, flags, how int) (int, error) {
	fd, err := syscall.Open(path, flags|syscall.O_CREAT|syscall.O_CLOEXEC, 0o777)
	if err != nil {
		return -1, err
	}
	return fd, syscall.Flock(fd, how)
}

func bareRead(path string, buf []byte) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	n, err := syscall.Read(fd, buf)
	if err == nil {
		_, err = syscall.Read(fd, buf[n:]) // the end of the file
	}
	syscall.Close(fd)
	return buf[:n], err
}

func bareWrite(p barePaths, data []byte) error {
	fd, err := syscall.Open(p.temp, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o666)
	if err != nil {
		return err
	}
	_, err = syscall.Write(fd, data)
	syscall.Close(fd)
	if err != nil {
		return err
	}
	return syscall.Rename(p.temp, p.data)
}
