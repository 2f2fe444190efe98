package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

const (
	secret      = "sekrit"
	validateKey = "validate-key"
	encryptKey  = "encrypt-key"
)

// subject is a way to keep sessions.
type subject struct {
	name    string
	options compat.Options
	tasks   []task

	manager *compat.Manager
	headers []string // the Cookie headers of its sessions
}

func subjects(dir string) []*subject {
	file := compat.Defaults()
	file.Secret, file.DataDir = secret, filepath.Join(dir, "sessions")
	json := compat.Defaults()
	json.Type, json.ValidateKey, json.DataSerializer = "cookie", validateKey, "json"
	aes := compat.Defaults()
	aes.Type, aes.ValidateKey, aes.EncryptKey, aes.CryptoType = "cookie", validateKey, encryptKey, "pycrypto"

	files := &subject{name: "file", options: file}
	floor := fileFloor{dir: file.DataDir}
	signer := beakerfmt.NewSigner([]byte(secret))
	files.tasks = []task{
		{"verify", func(header string) error {
			value, _ := beakerfmt.CookieWalk{}.Find(header, file.Key)
			_, _, err := signer.Verify(value)
			return err
		}, func(header string) error { return bareVerify(header, secret) }},
		{"load", files.load, floor.load},
		{"load, change, save", files.save, floor.save},
	}
	jsons := &subject{name: "cookie-only, JSON", options: json}
	jsons.tasks = []task{{"load", jsons.load, bareJSONLoad}, {"load, change, save", jsons.save, bareJSONSave}}
	sealed := &subject{name: "cookie-only, AES, pickle", options: aes}
	sealed.tasks = []task{{"load", sealed.load, bareAESLoad}, {"load, change, save", sealed.save, bareAESSave}}
	return []*subject{files, jsons, sealed}
}

// forPython are the options under Beaker's names.
func (s *subject) forPython() map[string]any {
	o := &s.options
	if o.Type != "cookie" {
		return map[string]any{"type": "file", "data_dir": o.DataDir, "secret": o.Secret}
	}
	options := map[string]any{"type": o.Type, "validate_key": o.ValidateKey, "data_serializer": o.DataSerializer}
	if o.EncryptKey != "" {
		options["encrypt_key"], options["crypto_type"] = o.EncryptKey, o.CryptoType
	}
	return options
}

// prepare makes the sessions.
func (s *subject) prepare(sessions int) error {
	var store stores.Store
	var err error
	if s.options.Type != "cookie" {
		if store, err = backend.Open(s.options); err != nil {
			return err
		}
	}
	if s.manager, err = compat.New(s.options, store, compat.Environment{}); err != nil {
		return err
	}
	for range sessions {
		header, err := s.login()
		if err != nil {
			return err
		}
		s.headers = append(s.headers, header)
	}
	return nil
}

// login makes a session such as a typical application has.
func (s *subject) login() (string, error) {
	o := s.manager.Open("")
	session, err := o.Session(context.Background())
	if err != nil {
		return "", err
	}
	for key, v := range map[string]any{
		"user_id": 4711, "username": "eve@example.org", "roles": []string{"editor", "user"},
		"_authentication_token": "129348719283471982374918237491823749182", "flash": []any{}, "lang": "fr",
	} {
		if err := session.Set(key, v); err != nil {
			return "", err
		}
	}
	session.Save()
	if err := o.Persist(context.Background()); err != nil {
		return "", err
	}
	text, _ := o.SetCookie()
	value, ok := beakerfmt.CookieWalk{}.Find(text, s.options.Key)
	if !ok {
		return "", errors.New("a new session sends no cookie")
	}
	return s.options.Key + "=" + value, nil
}

func (s *subject) load(header string) error {
	session, err := s.manager.Open(header).Session(context.Background())
	if err != nil {
		return err
	}
	if id, ok := compat.Get[int](session, "user_id"); !ok || id != 4711 {
		return errors.New("the session is not as it was written")
	}
	return nil
}

func (s *subject) save(header string) error {
	o := s.manager.Open(header)
	session, err := o.Session(context.Background())
	if err != nil {
		return err
	}
	n, _ := compat.Get[int](session, "n")
	if err := session.Set("n", n+1); err != nil {
		return err
	}
	session.Save()
	if err := o.Persist(context.Background()); err != nil {
		return err
	}
	if _, sent := o.SetCookie(); s.options.Type == "cookie" && !sent {
		return errors.New("a saved session sends no cookie")
	}
	return nil
}
