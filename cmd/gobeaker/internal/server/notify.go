package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd how the server is; without one nobody is told.
func (s *Server) notify(state string) {
	if s.env.Notify != nil {
		s.env.Notify(state)
	}
}

// notifyReady says that requests are answered. The heir of a process also says that it is
// the service from now on (NotifyAccess=all in its unit).
func (s *Server) notifyReady() {
	state := daemon.SdNotifyReady
	if s.env.Handover.IsHeir() {
		state = fmt.Sprintf("MAINPID=%d\n%s", os.Getpid(), state)
	}
	s.notify(state)
}

// notifyReloading says that the configuration is read again, as Type=notify-reload wants
// it: with the time of the machine's monotonic clock. [Server.notifyReady] follows.
func (s *Server) notifyReloading() {
	if s.env.Notify != nil {
		s.notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic().Microseconds()))
	}
}

// keepAlive tells systemd's watchdog twice in each of its intervals that the server lives,
// until ctx ends.
func (s *Server) keepAlive(ctx context.Context) {
	if s.env.Watchdog == 0 {
		return
	}
	go func() {
		for {
			s.notify(daemon.SdNotifyWatchdog)
			select {
			case <-ctx.Done():
				return
			case <-s.env.After(s.env.Watchdog / 2):
			}
		}
	}()
}

// Activated returns the sockets that systemd opened for this process, by place. A single one
// without a name of ours is the gateway's: systemd calls it like its unit if nobody gives
// FileDescriptorName=.
func Activated() (map[string]net.Listener, error) {
	all, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("server: sockets of systemd: %w", err)
	}
	out := map[string]net.Listener{}
	for name, listeners := range all {
		if len(all) == 1 && !slices.Contains(placeNames, name) {
			name = mainPlace
		}
		switch {
		case !slices.Contains(placeNames, name):
			return nil, fmt.Errorf("server: sockets of systemd: FileDescriptorName=%s is none of %s", name, strings.Join(placeNames, ", "))
		case len(listeners) != 1:
			return nil, fmt.Errorf("server: sockets of systemd: there are %d for %s; give one", len(listeners), name)
		}
		out[name] = listeners[0]
	}
	return out, nil
}

// Watchdog is the interval of systemd's watchdog for this process; 0 if it is off. heir:
// the process took over from the one that systemd started, whose number is in the
// environment.
func Watchdog(heir bool) (time.Duration, error) {
	if heir {
		if err := os.Unsetenv("WATCHDOG_PID"); err != nil {
			return 0, fmt.Errorf("server: watchdog: %w", err)
		}
	}
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("server: watchdog: %w", err)
	}
	return d, nil
}
