// Command ferretdb is FerretDB with its SQLite back end in one process: what tests
// take for a MongoDB, which few systems have a package of. It is a module of its own,
// so that its dependencies are not those of gobeaker.
//
//	ferretdb 127.0.0.1:27017 DIR
//
// MongoDB finds a document and changes it in one step. FerretDB 1 looks first and
// changes then, and two updates of one document may both find it as it was. So commands
// reach it here one at a time.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ferretdb ADDRESS DIR")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

func serve(address, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	socket := filepath.Join(dir, "socket")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) { // a killed one left it
		return err
	}
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: socket},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + filepath.ToSlash(dir) + "/",
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = l.Close()
	}()
	go func() { _ = accept(l, socket) }() // it ends when the listener is closed
	return db.Run(ctx)
}

func accept(l net.Listener, socket string) error {
	var turn sync.Mutex
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = client.Close() }()
			server, err := net.Dial("unix", socket)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			_ = relay(client, server, &turn) // it ends when one of the two is closed
		}()
	}
}

// Of MongoDB's wire protocol, a message begins with its length and has 16 bytes of
// header; the kind is the last number in that. A client that sends an OP_MSG with the
// flag moreToCome wants no answer.
const (
	headerSize = 16
	maxMessage = 48 << 20
	opMsg      = 2013
	moreToCome = 1 << 1
)

// relay takes each message of the client to the server, and its answer back, when it
// is its turn.
func relay(client, server net.Conn, turn *sync.Mutex) error {
	for {
		request, err := message(client)
		if err != nil {
			return err
		}
		answer, err := exchange(server, request, turn)
		if err != nil {
			return err
		}
		if _, err := client.Write(answer); err != nil {
			return err
		}
	}
}

func exchange(server net.Conn, request []byte, turn *sync.Mutex) ([]byte, error) {
	turn.Lock()
	defer turn.Unlock()
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(request[12:]) == opMsg && binary.LittleEndian.Uint32(request[headerSize:])&moreToCome != 0 {
		return nil, nil
	}
	return message(server)
}

func message(conn net.Conn) ([]byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(header[:])
	if n < headerSize+4 || n > maxMessage {
		return nil, errors.New("a message of no possible length")
	}
	all := append(make([]byte, 0, n), header[:]...)[:n]
	_, err := io.ReadFull(conn, all[headerSize:])
	return all, err
}
