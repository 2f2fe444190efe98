package servers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is how many hash slots a Redis cluster has.
const slots = 16384

// RedisCluster starts a cluster of that many masters, with further arguments.
func RedisCluster(t testing.TB, masters int, args ...string) []*Server {
	t.Helper()
	nodes, buses := make([]*Server, masters), make([]int, masters)
	for i := range nodes {
		buses[i] = FreePort(t)
		nodes[i] = Redis(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", strconv.Itoa(buses[i]),
			"--cluster-node-timeout", "2000",
		}, args...)...)
		first, last := slots*i/masters, slots*(i+1)/masters-1
		nodes[i].say(t, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", first, last))
		nodes[i].say(t, fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
	}
	for i, n := range nodes[1:] {
		nodes[0].say(t, fmt.Sprintf("CLUSTER MEET %s %d %d", Host, n.Port, buses[i+1]))
	}
	for _, n := range nodes {
		n.await(t, "CLUSTER INFO", "cluster_state:ok", fmt.Sprintf("cluster_known_nodes:%d", masters))
	}
	return nodes
}

// RedisReplica starts a replica of a Redis and waits until it has everything.
func RedisReplica(t testing.TB, master *Server, args ...string) *Server {
	t.Helper()
	s := Redis(t, append([]string{"--replicaof", fmt.Sprintf("%s %d", Host, master.Port), "--repl-diskless-sync-delay", "0"}, args...)...)
	s.await(t, "INFO replication", "master_link_status:up")
	return s
}

// RedisSentinel starts a sentinel that alone decides on a failover of master, which
// must have replicas, and waits until it knows that many of them.
func RedisSentinel(t testing.TB, name string, master *Server, replicas int) *Server {
	t.Helper()
	s := launch(t, &Server{
		name: program(t, "redis-sentinel", "redis-sentinel"),
		args: func(s *Server) []string {
			// It keeps what it learns in this file.
			path := filepath.Join(s.Dir, "sentinel.conf")
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				conf := fmt.Sprintf("bind %[1]s\nport %[2]d\ndir %[3]s\nsentinel monitor %[4]s %[1]s %[5]d 1\n"+
					"sentinel down-after-milliseconds %[4]s 500\nsentinel failover-timeout %[4]s 3000\n", Host, s.Port, s.Dir, name, master.Port)
				if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return []string{path}
		},
		ready: answers("PING\r\n", "+PONG"),
	})
	s.await(t, "INFO sentinel", fmt.Sprintf("status=ok,address=%s,slaves=%d", master.Addr(), replicas))
	return s
}

// say sends a command, which must not be refused.
func (s *Server) say(t testing.TB, command string) {
	t.Helper()
	if answer, err := s.ask(command); err != nil || strings.HasPrefix(answer, "-") {
		t.Fatalf("%s: %s: %q, %v", s.name, command, answer, err)
	}
}

// await asks until all the texts are in the answer.
func (s *Server) await(t testing.TB, command string, texts ...string) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		answer, err := s.ask(command)
		missing := err != nil
		for _, text := range texts {
			missing = missing || !strings.Contains(answer, text)
		}
		if !missing {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %s does not say %q: %q, %v", s.name, command, texts, answer, err)
		}
	}
}

// ask sends an inline command and returns its answer, of one line or of a text.
func (s *Server) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "$") {
		return line, err
	}
	size, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil || size < 0 {
		return line, err
	}
	text := make([]byte, size)
	_, err = io.ReadFull(r, text)
	return string(text), err
}
