package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
)

// report is what inspect prints.
type report struct {
	Kind       string
	Cookie     *cookieReport
	SignedBy   *keyReport
	Encryption *encryptionReport
	Warnings   []string
	Error      string
	decoded    *inspect.Decoded
	cookie     *inspect.Cookie
	where      inspect.Where
	size       int
}

type cookieReport struct {
	Name       string `json:"name,omitempty"`
	Signature  string `json:"signature"`
	ServerSide bool   `json:"server_side"`
}

// keyReport says which of the keys of its name it is.
type keyReport struct {
	Name  string `json:"name"`
	Index int    `json:"index"`
	From  string `json:"from,omitempty"`
}

type encryptionReport struct {
	AES         string    `json:"aes"`
	NonceBits   int       `json:"nonce_bits"`
	EncryptKey  keyReport `json:"encrypt_key"`
	ValidateKey keyReport `json:"validate_key"`
	labels      string
}

func (r *report) json(w io.Writer, _ bool) error {
	out := struct {
		Session    json.RawMessage   `json:"session"`
		Form       *inspect.Form     `json:"form"`
		Kind       string            `json:"kind"`
		Writer     string            `json:"writer,omitempty"`
		WrittenBy  *inspect.Writer   `json:"written_by,omitempty"`
		Classes    []string          `json:"classes,omitempty"`
		Serialized int               `json:"serialized_bytes,omitempty"`
		Cookie     *cookieReport     `json:"cookie,omitempty"`
		SignedBy   *keyReport        `json:"signed_by,omitempty"`
		Encryption *encryptionReport `json:"encryption,omitempty"`
		Warnings   []string          `json:"warnings,omitempty"`
		Error      string            `json:"error,omitempty"`
	}{Kind: r.Kind, Cookie: r.Cookie, SignedBy: r.SignedBy, Encryption: r.Encryption, Warnings: r.Warnings, Error: r.Error}
	if d := r.decoded; d != nil {
		tagged, err := taggedjson.Append(nil, d.Session, d.Dialect())
		if err != nil {
			return fmt.Errorf("inspect: this value cannot be written as JSON: %w; the text output can show it", err)
		}
		out.Session, out.Form, out.Serialized = tagged, d.JSON(), d.Serialized
		writer := d.Writer(r.where)
		out.Writer, out.WrittenBy, out.Classes = writer.String(), &writer, d.ClassNames()
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func (r *report) text(w io.Writer, mask bool) error {
	var b bytes.Buffer
	line := func(name, text string) { fmt.Fprintf(&b, "%-10s %s\n", name, text) }
	line("kind", fmt.Sprintf("%s, %d bytes", r.Kind, r.size))
	if c := r.Cookie; c != nil {
		if c.Name != "" {
			line("cookie", c.Name)
		}
		line("signature", c.Signature)
	}
	if d := r.decoded; d != nil {
		if e := r.Encryption; e != nil {
			line("encrypted", d.Encryption()+", opened by "+e.labels)
		}
		line("form", d.FormText())
		writer := d.Writer(r.where)
		line("written by", "probably "+writer.String())
		if len(writer.Evidence) > 0 {
			line("because of", strings.Join(writer.Evidence, "; "))
		}
		if names := d.ClassNames(); len(names) > 0 {
			line("classes", strings.Join(names, ", "))
		}
	}
	for _, warning := range r.Warnings {
		line("note", warning)
	}
	if d := r.decoded; d != nil {
		o := tree.Options{}
		if mask {
			o.Hide = tree.Secret
		}
		b.WriteByte('\n')
		b.Write(tree.New(d.Session, o).AppendText(nil))
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}
