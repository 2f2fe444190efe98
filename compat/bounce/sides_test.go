package bounce

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

// noChanges are none, as JSON has it.
var noChanges = []change{}

// python is the side of a worker process (scripts/bounce/worker.py).
type python struct {
	process *peers.Process
	stack   string
}

// stacks are those of scripts/bounce/stacks.py, by the distribution that they need.
var stacks = map[string]string{"turbogears2": "turbogears", "pyramid": "pyramid", "pylons": "pylons"}

// venvs are all Beakers and all frameworks.
func venvs(t *testing.T) []peers.Venv {
	all := peers.AllBeakers(t)
	for distribution := range stacks {
		all = append(all, peers.WithPackage(t, distribution)...)
	}
	return all
}

func startPython(t *testing.T, venv peers.Venv) *python {
	p := &python{
		process: peers.Start(t, nil, venv.Exe, peers.Script(t, "bounce/worker.py")),
		stack:   "beaker",
	}
	for distribution, stack := range stacks {
		if _, has := venv.Packages[distribution]; has {
			p.stack = stack
		}
	}
	return p
}

// start makes the application anew, with other options.
func (p *python) start(t *testing.T, k keeping) {
	t.Helper()
	command, err := json.Marshal(map[string]any{"stack": p.stack, "options": k.beaker})
	require.NoError(t, err)
	p.process.Ask(t, string(command), &struct{}{})
}

func (p *python) turn(t *testing.T, cookie string, changes []change) response {
	t.Helper()
	command, err := json.Marshal(map[string]any{"cookie": cookie, "changes": changes})
	require.NoError(t, err)
	var answer struct {
		response
		Error *string
	}
	p.process.Ask(t, string(command), &answer)
	if answer.Error != nil {
		require.Fail(t, "Python failed", *answer.Error)
	}
	return answer.response
}

// gopher is Go's side.
type gopher struct {
	manager *compat.Manager
	dialect taggedjson.Dialect
}

func newGopher(t *testing.T, k keeping) *gopher {
	t.Helper()
	var store stores.Store
	if k.options.Type != "cookie" {
		var err error
		store, err = backend.Open(k.options)
		require.NoError(t, err)
		if c, ok := store.(io.Closer); ok {
			t.Cleanup(func() { require.NoError(t, c.Close()) })
		}
	}
	manager, err := compat.New(k.options, store, compat.Environment{})
	require.NoError(t, err)
	return &gopher{manager, k.dialect()}
}

func (g *gopher) turn(t *testing.T, cookie string, changes []change) (r response) {
	t.Helper()
	ctx := context.Background()
	object := g.manager.Open(cookie)
	s, err := object.Session(ctx)
	require.NoError(t, err)
	r.Session, r.Own = g.look(t, s)
	for _, c := range changes {
		require.NoError(t, c.applyTo(s))
	}
	s.Save()
	require.NoError(t, object.Persist(ctx))
	if text, due := object.SetCookie(); due {
		r.SetCookie = []string{text}
	}
	require.NoError(t, object.Close())
	return r
}

// look tells what a session holds.
func (g *gopher) look(t *testing.T, s *compat.Session) (text []byte, o own) {
	t.Helper()
	values := pyvalue.NewDict()
	for key, v := range s.All() {
		switch name, _ := pyvalue.Text(key); {
		case name == "_id":
			id, _ := pyvalue.Text(v)
			o.ID = &id
		case name == "_creation_time":
			created := float64(v.(pyvalue.Float))
			o.Created = &created
		case !strings.HasPrefix(name, "_"):
			values.Set(key, v)
		}
	}
	text, err := taggedjson.Append(nil, values, g.dialect)
	require.NoError(t, err)
	return text, o
}
