package server

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/cloudflare/tableflip"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/settings"
)

// Handover passes the listeners to a new process of the same program, which takes over
// while this one finishes its requests. There is at most one in a process. A nil
// *Handover passes nothing.
type Handover struct {
	upgrader *tableflip.Upgrader
	pid      pidFile
}

// NewHandover returns the Handover of this process, and takes what the process before
// passes on. In pid, if it is not "", there is the number of the process that answers.
func NewHandover(pid string) (*Handover, error) {
	u, err := tableflip.New(tableflip.Options{})
	if err != nil {
		return nil, fmt.Errorf("server: handover: %w", err)
	}
	return &Handover{u, pidFile(pid)}, nil
}

// upgrade starts the new process and returns when it has taken over, or why it has not:
// then this one goes on.
func (h *Handover) upgrade() error {
	if err := h.upgrader.Upgrade(); err != nil {
		// The new process may have got as far as to write its own number.
		return errors.Join(fmt.Errorf("server: handover: %w", err), h.pid.write(os.Getpid()))
	}
	return nil
}

// stop ends the Handover. If there is no new process, the Unix sockets are removed.
func (h *Handover) stop() {
	if h != nil {
		h.upgrader.Stop()
		<-h.upgrader.Exit()
	}
}

// ofSystemd stands for the address of a listener that systemd opened.
const ofSystemd = "systemd"

// Sockets are those that systemd opened for the process before, by place.
func (h *Handover) Sockets() (map[string]net.Listener, error) {
	out := map[string]net.Listener{}
	for _, name := range placeNames {
		l, err := h.inherited(name, ofSystemd)
		if err != nil {
			return nil, err
		}
		if l != nil {
			out[name] = l
		}
	}
	return out, nil
}

// inherited returns the listener that the process before had at a place, or nil.
func (h *Handover) inherited(name, address string) (net.Listener, error) {
	if h == nil {
		return nil, nil
	}
	l, err := h.upgrader.Listener(handoverKey(name, address))
	if err != nil {
		return nil, fmt.Errorf("server: handover: %w", err)
	}
	return l, nil
}

// add has a listener passed on.
func (h *Handover) add(name, address string, l net.Listener) error {
	if h == nil {
		return nil
	}
	network, address := handoverKey(name, address)
	if err := h.upgrader.AddListener(network, address, l.(tableflip.Listener)); err != nil {
		l.Close()
		return fmt.Errorf("server: handover: %w", err)
	}
	return nil
}

// handoverKey is the name of a listener between two processes: where it listens, so that one
// that is configured elsewhere now is not mistaken for it. tableflip removes the files of
// Unix sockets by it.
func handoverKey(name, address string) (network, key string) {
	if network, path, err := settings.SplitAddress(address); err == nil && network == "unix" {
		return network, path
	}
	return name, address
}

// ready tells the process before that it can go.
func (h *Handover) ready() error {
	if h == nil {
		return nil
	}
	if err := h.pid.write(os.Getpid()); err != nil {
		return fmt.Errorf("server: pid_file: %w", err)
	}
	if err := h.upgrader.Ready(); err != nil {
		return fmt.Errorf("server: handover: %w", err)
	}
	return nil
}

// removePID removes the number of this process, if it is still the one that answers.
func (h *Handover) removePID() {
	if h != nil {
		h.pid.remove(os.Getpid())
	}
}

// taken is closed when a new process has taken over; nil, which never is, without a
// Handover.
func (h *Handover) taken() <-chan struct{} {
	if h == nil {
		return nil
	}
	return h.upgrader.Exit()
}

// IsHeir reports whether this process took over from another one.
func (h *Handover) IsHeir() bool { return h != nil && h.upgrader.HasParent() }
