package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const clientID = "bench"

// provider is the least of an OpenID provider by which oauth2-proxy lets a visitor in:
// whoever comes is the same user, and is asked nothing.
type provider struct {
	issuer string
	key    jose.JSONWebKey
	nonces sync.Map // by code
}

// startProvider starts one that lasts as long as this process, and returns its URL.
func startProvider() (string, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p := &provider{issuer: "http://" + l.Addr().String(), key: jose.JSONWebKey{Key: private, KeyID: "1", Algorithm: "RS256", Use: "sig"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		tell(w, map[string]any{
			"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		tell(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}})
	})
	mux.HandleFunc("/authorize", p.authorize)
	mux.HandleFunc("/token", p.token)
	go http.Serve(l, mux) //nolint:errcheck // it ends with the process
	return p.issuer, nil
}

func tell(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := rand.Text()
	p.nonces.Store(code, q.Get("nonce"))
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	nonce, ok := p.nonces.LoadAndDelete(r.PostFormValue("code"))
	if !ok {
		http.Error(w, "no such code", http.StatusBadRequest)
		return
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": p.issuer, "aud": clientID, "sub": "4711", "email": userName, "email_verified": true, "nonce": nonce,
		"iat": now.Unix(), "exp": now.Add(timeout).Unix(),
	})
	var signer jose.Signer
	var signed *jose.JSONWebSignature
	if err == nil {
		signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.key}, nil)
	}
	if err == nil {
		signed, err = signer.Sign(claims)
	}
	var token string
	if err == nil {
		token, err = signed.CompactSerialize()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	tell(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": int(timeout.Seconds()), "id_token": token})
}

// logIn visits oauth2-proxy as a browser does and returns the cookies that it has then.
func logIn(base string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Jar: jar}).Get(base + "/")
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("the login ends with %d", resp.StatusCode)
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, c := range jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if len(pairs) == 0 {
		return "", errors.New("the login leaves no cookie")
	}
	return strings.Join(pairs, "; "), nil
}
