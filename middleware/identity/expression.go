package identity

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

// Bounds of an expression. Without variables, and with predicates that give a bool and
// have none in them, the work is at most that of its nodes for each member of a list, and
// no text grows beyond what the nodes put together.
const (
	maxExpression      = 4096 // bytes
	maxExpressionNodes = 200
	maxExpressionUnits = 1 << 16 // vm.VM.MemoryBudget: parts of the arrays and maps that it makes
)

// functions are what expressions may call, of those that expr has: each ends in a time
// that grows with its arguments alone, and none makes something much larger than they are,
// reads a clock or opens a file (date looks for time zones).
var functions = []string{
	"all", "any", "one", "none", "count", "filter", "find", "findIndex",
	"len", "lower", "upper", "trim", "trimPrefix", "trimSuffix", "hasPrefix", "hasSuffix", "indexOf",
	"int", "float", "string", "type", "abs", "min", "max", "keys", "values", "get", "first", "last", "duration",
}

// environment is what an expression sees.
type environment struct {
	Session map[string]any     `expr:"session"`
	Request requestEnvironment `expr:"request"`
	Now     time.Time          `expr:"now"`
}

type requestEnvironment struct {
	Method string              `expr:"method"`
	Scheme string              `expr:"scheme"`
	Host   string              `expr:"host"`
	Path   string              `expr:"path"`
	Query  string              `expr:"query"`
	Client string              `expr:"client"`
	Header func(string) string `expr:"header"`
}

// expression is a compiled Options.Allow. It is safe for concurrent use.
type expression struct {
	program *vm.Program
	keys    []string // of the session that it names; nil: it may look at any
	parts   []string // of the request that it names; nil: it may look at any
}

// looksAt reports whether it looks at a part of the request.
func (e *expression) looksAt(part string) bool {
	return e.parts == nil || slices.Contains(e.parts, part)
}

func compileExpression(source string) (*expression, error) {
	if len(source) > maxExpression {
		return nil, fmt.Errorf("more than %d bytes", maxExpression)
	}
	tree, err := parser.Parse(source)
	if err != nil {
		return nil, err
	}
	g := &guard{}
	ast.Walk(&tree.Node, g)
	if g.problem != "" {
		return nil, errors.New(g.problem)
	}
	options := []expr.Option{expr.Env(&environment{}), expr.AsBool(), expr.MaxNodes(maxExpressionNodes), expr.DisableAllBuiltins()}
	for _, name := range functions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		return nil, err
	}
	e := &expression{program: program}
	if g.requests == g.requestsNamed {
		e.parts = append([]string{}, g.parts...)
	}
	if g.sessions == g.sessionsNamed {
		e.keys = append([]string{}, g.keys...)
	}
	return e, nil
}

// guard looks at an expression for what could run long or reach further than it should,
// and for what it needs.
type guard struct {
	problem string
	// How often a variable is mentioned, and how often of these with a key in quotes or
	// after a dot.
	sessions, sessionsNamed int
	requests, requestsNamed int
	keys                    []string // of the session
	parts                   []string // of the request
}

// Visit implements ast.Visitor; children come before their parents.
func (g *guard) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		switch n.Value {
		case "session":
			g.sessions++
		case "request":
			g.requests++
		case "$env":
			g.refuse("$env: name what you want of it")
		}
	case *ast.MemberNode:
		g.member(n)
	case *ast.BinaryNode:
		g.operator(n)
	case *ast.CallNode:
		g.call(n)
	case *ast.BuiltinNode:
		if !slices.Contains(functions, n.Name) {
			g.refuse(n.Name + ": there is no such function here")
		}
	case *ast.VariableDeclaratorNode:
		g.refuse("let: there are no variables here")
	case *ast.PredicateNode:
		inner := &predicates{}
		ast.Walk(&n.Node, inner)
		if inner.found {
			g.refuse("a predicate within a predicate")
		}
	}
}

func (g *guard) refuse(problem string) {
	if g.problem == "" {
		g.problem = problem
	}
}

func (g *guard) member(n *ast.MemberNode) {
	of, ok := n.Node.(*ast.IdentifierNode)
	key, constant := n.Property.(*ast.StringNode)
	switch {
	case !ok || !constant:
	case of.Value == "session":
		g.sessionsNamed++
		if !slices.Contains(g.keys, key.Value) {
			g.keys = append(g.keys, key.Value)
		}
	case of.Value == "request":
		g.requestsNamed++
		g.parts = append(g.parts, key.Value)
	}
}

func (g *guard) operator(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		g.refuse("a range of numbers")
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			g.refuse("matches: write the pattern in quotes")
		}
	}
}

// call allows request.header and the methods of now. Values of a session have methods,
// too, which are nobody's business.
func (g *guard) call(n *ast.CallNode) {
	if m, ok := n.Callee.(*ast.MemberNode); ok {
		if of, ok := m.Node.(*ast.IdentifierNode); ok && (of.Value == "request" || of.Value == "now") {
			return
		}
	}
	name := "a call"
	if id, ok := n.Callee.(*ast.IdentifierNode); ok {
		name = id.Value
	}
	g.refuse(name + ": there is no such function here")
}

// predicates tells whether there is a predicate in an expression.
type predicates struct{ found bool }

func (p *predicates) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.PredicateNode); ok {
		p.found = true
	}
}

// refuses returns why the expression does not let somebody in, "" if it does. Messages of
// expr are not in it: there may be values of the session in them.
func (e *expression) refuses(r *Request, v *compat.View, now time.Time) string {
	env := &environment{Now: now, Request: requestEnvironment{
		Method: r.Method, Scheme: r.Scheme, Host: r.Host, Client: r.Client,
		Header: func(name string) string { return strings.Join(headerValues(r.Header, name), ", ") },
	}}
	var err error
	raw, query, _ := strings.Cut(r.URI, "?")
	env.Request.Query = query
	if e.looksAt("path") {
		if env.Request.Path, err = onlyPath(raw); err != nil {
			return err.Error()
		}
	}
	if env.Session, err = sessionvalue.See(v, e.keys); err != nil {
		return err.Error()
	}
	machine := vm.VM{MemoryBudget: maxExpressionUnits}
	result, err := machine.Run(e.program, env)
	if err != nil {
		var at *file.Error
		if errors.As(err, &at) {
			return fmt.Sprintf("it fails at %d:%d", at.Line, at.Column+1)
		}
		return "it fails"
	}
	if allowed, ok := result.(bool); !ok || !allowed {
		return "it is false"
	}
	return ""
}

func headerValues(h http.Header, name string) []string { return h[http.CanonicalHeaderKey(name)] }

var errPath = errors.New("the path of the request has several readings")

// onlyPath returns the decoded path. One that an application may read as another one is an
// error: rules about paths must not be got round by its spelling.
func onlyPath(raw string) (string, error) {
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", errPath
	}
	u := url.URL{Path: path}
	if path != raw {
		u.RawPath = raw
	}
	readings, err := forwarded.ReadPath(&u)
	if err != nil || readings.Least != path || readings.Most != path {
		return "", errPath
	}
	return path, nil
}
