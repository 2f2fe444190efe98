package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// TestPythons: what Python pickles is as true, and has the same text, as Python says.
func TestPythons(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Pythons")
	}
	for _, python := range peers.Pythons(t) {
		t.Run(python.Name(), func(t *testing.T) {
			cmd := exec.Command(python.Exe, "testdata/values.py")
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			var complaint bytes.Buffer
			cmd.Stderr = &complaint
			out, err := cmd.Output()
			require.NoError(t, err, complaint.String())
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Greater(t, len(lines), 200)
			for _, line := range lines {
				requireAsPython(t, line)
			}
		})
	}
}

func requireAsPython(t *testing.T, line string) {
	t.Helper()
	var said struct {
		Pickle, Path string
		True         bool
		Text         *string
	}
	require.NoError(t, json.Unmarshal([]byte(line), &said))
	data, err := hex.DecodeString(said.Pickle)
	require.NoError(t, err)
	v, err := pickle.Decode(data, pickle.Limits{})
	require.NoError(t, err)
	require.Equal(t, said.True, sessionvalue.True(v), line)

	h, err := newHeader(Header{Name: "Remote-User", Path: strings.TrimSuffix("v."+said.Path, "."), Encode: "utf-8"})
	require.NoError(t, err)
	text, err := h.value(see(t, values{"v": v, "user_id": 1}))
	if said.Text == nil {
		require.Error(t, err, line)
		return
	}
	require.NoError(t, err, line)
	require.Equal(t, *said.Text, text, line)
}

// TestOthersVerify: node's crypto and Python's cryptography, which know nothing of our
// library, verify our tokens by our JWKS, and refuse what was changed.
func TestOthersVerify(t *testing.T) {
	if testing.Short() {
		t.Skip("starts node and Python")
	}
	t.Run("node", func(t *testing.T) {
		exe, err := exec.LookPath("node")
		if err != nil {
			if os.Getenv("GOBEAKER_REQUIRE_PEERS") == "1" {
				t.Fatal("no node: install nodejs")
			}
			t.Skip("no node: install nodejs")
		}
		othersVerify(t, peers.Start(t, nil, exe, "testdata/verify.js"))
	})
	t.Run("python", func(t *testing.T) {
		venvs := slices.DeleteFunc(peers.WithPackage(t, "cryptography"), peers.Venv.Python2)
		require.NotEmpty(t, venvs)
		othersVerify(t, peers.Start(t, nil, venvs[0].Exe, "testdata/verify.py"))
	})
}

func othersVerify(t *testing.T, other *peers.Process) {
	rsaKey, _ := rsaPEM(t)
	ed25519Key := ed25519PEM(t)
	v := see(t, values{"user": "Zoë \U0001F600\"", "groups": []string{"a", "b"}, "n": 1.5})
	for algorithm, keys := range map[string][][]byte{"EdDSA": {ed25519Key, rsaKey}, "RS256": {rsaKey, ed25519Key}} {
		s, set := signer(t, keys...)
		p := policy(t, Options{
			Assertion: &Assertion{Signer: s, Audience: "app", Subject: "user", Claims: map[string]string{"groups": "groups", "n": "n"}},
			Now:       func() time.Time { return time.Unix(1700000000, 0) },
		})
		token := p.Decide(page(), v, nil).Header.Get("X-Gobeaker-Assertion")
		require.NotEmpty(t, token)
		answer := ask(t, other, s.jwks, token)
		require.Empty(t, answer.Error)
		require.Equal(t, map[string]any{"alg": algorithm, "typ": "JWT", "kid": set.Keys[0].KeyID}, answer.Header)
		require.Equal(t, "Zoë \U0001F600\"", answer.Claims["sub"])
		require.Equal(t, []any{"a", "b"}, answer.Claims["groups"])
		require.Equal(t, 1.5, answer.Claims["n"])
		require.Equal(t, 1700000060.0, answer.Claims["exp"])

		parts := strings.Split(token, ".")
		parts[1] = parts[1][:len(parts[1])-3] + "AAA"
		require.Equal(t, "bad signature", ask(t, other, s.jwks, strings.Join(parts, ".")).Error)
		_, strangers := signer(t, ed25519PEM(t))
		strangers.Keys[0].KeyID = set.Keys[0].KeyID
		require.NotEmpty(t, ask(t, other, marshal(t, strangers), token).Error)
	}
}

type verified struct {
	Header, Claims map[string]any
	Error          string
}

func ask(t *testing.T, other *peers.Process, jwks []byte, token string) verified {
	t.Helper()
	question, err := json.Marshal(map[string]any{"jwks": json.RawMessage(jwks), "token": token})
	require.NoError(t, err)
	var v verified
	other.Ask(t, string(question), &v)
	return v
}

func marshal(t *testing.T, set jose.JSONWebKeySet) []byte {
	t.Helper()
	b, err := json.Marshal(set)
	require.NoError(t, err)
	return b
}
