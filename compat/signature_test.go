package compat_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignaturesAreComparedInConstantTime reads the source: what a comparison takes must
// not tell how much of a guess is right. Of all that a request passes through, one
// function makes signatures to compare them, and it compares by package subtle, all
// keys, without an early end. Tokens of forms are compared by it, too.
func TestSignaturesAreComparedInConstantTime(t *testing.T) {
	parse := func(path string) *ast.File {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		return f
	}
	for _, dir := range []string{"../beakerfmt", "../compat", "../middleware"} {
		files, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") || path == "../beakerfmt/sign.go" {
				continue
			}
			for _, used := range selectors(parse(path)) {
				require.NotContains(t, []string{"hmac.New", "beakerfmt.AppendSigned"}, used, "%s: leave signatures to Signer.Verify", path)
			}
		}
	}

	verify := function(t, parse("../beakerfmt/sign.go"), "Verify")
	require.Contains(t, selectors(verify), "subtle.ConstantTimeCompare")
	var loop *ast.ForStmt
	ast.Inspect(verify, func(n ast.Node) bool {
		if f, ok := n.(*ast.ForStmt); ok {
			require.Nil(t, loop, "one loop, over the keys")
			loop = f
		}
		return true
	})
	require.NotNil(t, loop)
	require.Contains(t, selectors(loop), "subtle.ConstantTimeCompare")
	ast.Inspect(verify, func(n ast.Node) bool {
		inLoop := n != nil && n.Pos() >= loop.Body.Pos() && n.End() <= loop.Body.End()
		switch n := n.(type) {
		case *ast.ReturnStmt:
			require.False(t, inLoop, "the first key that fits must not end it")
		case *ast.BranchStmt:
			require.True(t, !inLoop || n.Tok == token.CONTINUE, "nor must it leave out the others")
		case *ast.BinaryExpr:
			for _, side := range []ast.Expr{n.X, n.Y} {
				ast.Inspect(side, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					require.False(t, ok && (id.Name == "want" || id.Name == "given"), "a signature is compared by an operator")
					return true
				})
			}
		}
		return true
	})
	require.NotContains(t, selectors(verify), "bytes.Equal")

	require.Contains(t, selectors(function(t, parse("../middleware/csrf.go"), "Check")), "subtle.ConstantTimeCompare")
}

func function(t *testing.T, f *ast.File, name string) *ast.FuncDecl {
	t.Helper()
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Name.Name == name && d.Recv != nil {
			return d
		}
	}
	t.Fatal("there is no method " + name)
	return nil
}

// selectors are the names with a dot in the code, as "package.Name".
func selectors(n ast.Node) (all []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				all = append(all, x.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return all
}
