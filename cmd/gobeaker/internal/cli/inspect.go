package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/server"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/compat"
)

const inspectLong = `Inspect shows what is in a session, with Python's types, and in which form it
stands. WHAT is one of these, told apart by itself or by --as:

  cookie   a value, name=value, a Cookie header, a Set-Cookie line
  file     a .cache file of the file back end
  id       a session id; the record is looked up in --data-dir, or in the
           directory that --ini or --config names
  pickle   a file with any pickle
  -        one of them on standard input

Signatures are checked with the secret of --secret-file, of GOBEAKER_SECRET, of
--ini or of --config. There is no flag for the secret itself, because other users
of the machine can read the arguments. Nothing is executed or written, and files
are read without their lock.

The values are printed as they are: do not paste the output where others read
it. --mask hides those under keys that look like secrets.`

// maskPattern finds keys whose values --mask hides.
const maskPattern = `(?i)passw|secret|token|csrf|api_?key|auth`

// maxInput bounds what is read, in bytes.
const maxInput = 64 << 20

type inspectOptions struct {
	as, key, dataDir, secretFile, ini, config string
	json, mask                                bool
}

func newInspect(env Environment) *cobra.Command {
	o := &inspectOptions{}
	c := &cobra.Command{
		Use:   "inspect WHAT",
		Short: "Show what is in a cookie, a session file, a session or a pickle",
		Long:  inspectLong,
		Example: `  gobeaker inspect data/container_file/1/1e/1e4c684fb206494191440c2cc28cbc22.cache
  gobeaker inspect --data-dir data 1e4c684fb206494191440c2cc28cbc22
  gobeaker inspect --ini production.ini 'Cookie: lang=en; beaker.session.id=0b75…'
  gobeaker inspect --json --secret-file secret.txt - < cookie.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runInspect(args[0], o, env) },
	}
	f := c.Flags()
	f.StringVar(&o.as, "as", "", "what it is: `cookie`, file, id or pickle")
	f.StringVar(&o.key, "key", "", "the `name` of the session cookie (default beaker.session.id)")
	f.StringVar(&o.dataDir, "data-dir", "", "Beaker's data_dir: the `directory` with container_file in it")
	f.StringVar(&o.secretFile, "secret-file", "", "a `file` whose first line is the secret (or validate_key)")
	f.StringVar(&o.ini, "ini", "", "take directory, cookie name and keys from this ini `file`[#application]")
	f.StringVar(&o.config, "config", "", "take them from the [session] of this gobeaker.toml `file`")
	f.BoolVar(&o.json, "json", false, "print one JSON object with the session as tagged JSON")
	f.BoolVar(&o.mask, "mask", false, "hide values under keys that look like secrets (text output only)")
	return c
}

func runInspect(what string, o *inspectOptions, env Environment) error {
	if o.mask && o.json {
		return usage("inspect: --mask works on the text output only")
	}
	in, err := newInspector(o, env)
	if err != nil {
		return fail(exitUsage, err)
	}
	report, err := in.run(what)
	if report != nil {
		print := report.text
		if o.json {
			print = report.json
		}
		if err := print(env.Stdout, o.mask); err != nil {
			return fail(exitNo, err)
		}
	}
	return err
}

// inspector knows where to look and with which keys.
type inspector struct {
	as      string
	stdin   io.Reader
	options compat.Options
	keys    []inspect.Key
}

func newInspector(o *inspectOptions, env Environment) (*inspector, error) {
	in := &inspector{as: o.as, stdin: env.Stdin}
	switch o.as {
	case "", "cookie", "file", "id", "pickle":
	default:
		return nil, fmt.Errorf("inspect: --as %s: use cookie, file, id or pickle", o.as)
	}
	var err error
	if in.options, err = server.SessionOptions(o.ini, o.config, env.Getenv); err != nil {
		return nil, err
	}
	if o.key != "" {
		in.options.Key = o.key
	}
	if o.dataDir != "" {
		in.options.DataDir, in.options.FileDir = o.dataDir, ""
	}
	if o.secretFile != "" {
		secret, err := server.ReadSecret(o.secretFile)
		if err != nil {
			return nil, err
		}
		in.addKey("secret", secret)
	}
	in.addKey("secret", in.options.Secret)
	for _, k := range in.options.OldSecrets {
		in.addKey("an older secret", k)
	}
	in.addKey("validate_key", in.options.ValidateKey)
	return in, nil
}

func (in *inspector) addKey(name, key string) {
	if key != "" {
		in.keys = append(in.keys, inspect.Key{Name: name, Key: key})
	}
}

// run finds out what it is and takes it apart. A report may come with an error.
func (in *inspector) run(what string) (*report, error) {
	if what == "-" {
		return in.fromStdin()
	}
	kind := in.as
	if kind == "" {
		kind = in.guess(what)
	}
	switch kind {
	case "cookie":
		return in.cookie(what)
	case "id":
		return in.id(what)
	}
	data, err := readFile(what)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitNo, fmt.Errorf("inspect: %w; for a cookie or an id say --as cookie or --as id", err))
	}
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: %w", err))
	}
	if kind == "pickle" && in.as == "" {
		return in.content(data)
	}
	return in.bytes(data, kind)
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// guess tells the kinds apart: what is a file is one, a name=value or a
// signature in front is a cookie, 27 or 32 plain characters are an id.
func (in *inspector) guess(what string) string {
	if info, err := os.Stat(what); err == nil && !info.IsDir() {
		return "pickle"
	}
	if strings.Contains(what, "/") && !strings.ContainsAny(what, "=; ") && filepath.Ext(what) != "" {
		return "file"
	}
	if plainID.MatchString(what) && len(what) < beakerfmt.SignatureLen {
		return "id"
	}
	return "cookie"
}

func (in *inspector) fromStdin() (*report, error) {
	data, err := readAll(in.stdin)
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: standard input: %w", err))
	}
	switch text := strings.TrimSpace(string(data)); in.as {
	case "":
		return in.content(data)
	case "cookie":
		return in.cookie(text)
	case "id":
		return in.id(text)
	}
	return in.bytes(data, in.as)
}

// content tells by the content what it is: a pickle, or the text of a cookie or
// an id.
func (in *inspector) content(data []byte) (*report, error) {
	text := strings.TrimSpace(string(data))
	if _, err := inspect.Pickle(data); err == nil || text == "" || !isText(data) {
		return in.bytes(data, "pickle")
	}
	if plainID.MatchString(text) && len(text) < beakerfmt.SignatureLen {
		return in.id(text)
	}
	return in.cookie(text)
}

func isText(data []byte) bool {
	return !bytes.ContainsFunc(data, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r == 0xfffd })
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("larger than %d bytes", maxInput)
	}
	return data, err
}

// bytes takes a file apart; kind is "file", or "pickle" for either.
func (in *inspector) bytes(data []byte, kind string) (*report, error) {
	r := &report{Kind: "pickle", size: len(data)}
	if kind != "file" {
		d, err := inspect.Pickle(data)
		if err != nil {
			return r, in.verdict(r, err)
		}
		if in.as == "pickle" || !inspect.IsContainer(d.Session) {
			r.found(d, inspect.Elsewhere)
			return r, nil
		}
	}
	r.Kind = "file"
	d, err := inspect.File(data)
	if err != nil {
		return r, in.verdict(r, err)
	}
	r.found(d, inspect.InFile)
	return r, nil
}

// id reads the record of a session.
func (in *inspector) id(id string) (*report, error) {
	if !in.options.IDs.Valid(id) {
		return nil, usage("inspect: this is no session id: letters, digits, _ and - only")
	}
	dir := in.options.FileDir
	if dir == "" && in.options.DataDir != "" {
		dir = filepath.Join(in.options.DataDir, "container_file")
	}
	if dir == "" {
		return nil, usage("inspect: where are the sessions? give --data-dir, --ini or --config (for a cookie say --as cookie)")
	}
	data, err := readFile(filepath.Join(dir, filepath.FromSlash(beakerfmt.DataPath(id))))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitNo, fmt.Errorf("inspect: there is no session %s in %s", beakerfmt.HashID(id), dir))
	}
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: session %s cannot be read: %w", beakerfmt.HashID(id), withoutPath(err)))
	}
	return in.bytes(data, "file")
}

// withoutPath takes the path, in which the id is, off an error.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// cookie takes a cookie apart, and shows the record of a server-side session
// if it knows where to look.
func (in *inspector) cookie(text string) (*report, error) {
	c, err := inspect.ParseCookie(text, in.options.Key, in.keys)
	if err != nil {
		return nil, fail(exitNo, err)
	}
	r := &report{Kind: "cookie", Cookie: &cookieReport{Name: c.Name, Signature: string(c.Signature)}, Warnings: c.Warnings, size: len(text)}
	d, err := inspect.Payload(c.Payload)
	switch id, isID := c.SessionID(); {
	case err == nil:
		r.found(d, inspect.InCookie)
	case isID:
		if err := in.serverSide(r, id); err != nil {
			return r, err
		}
	default:
		if verdict := in.verdict(r, err); c.Signature != inspect.Invalid {
			return r, verdict
		}
	}
	if c.Signature == inspect.Invalid {
		return r, fail(exitNo, errors.New("inspect: the signature is not valid: another secret, or another cookie than Python sent"))
	}
	return r, nil
}

// serverSide adds the record to the report of a cookie that carries its id.
func (in *inspector) serverSide(r *report, id string) error {
	r.Cookie.ServerSide = true
	if in.options.DataDir == "" && in.options.FileDir == "" {
		r.Warnings = append(r.Warnings, "it carries the id of a server-side session; to see what is in it give --data-dir, --ini or --config")
		return nil
	}
	record, err := in.id(id)
	if record == nil {
		return err
	}
	record.Cookie, record.Warnings = r.Cookie, append(r.Warnings, record.Warnings...)
	*r = *record
	return err
}

// verdict turns what went wrong into an exit code, and says it in the report.
func (in *inspector) verdict(r *report, err error) error {
	r.Error = err.Error()
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted):
		return fail(exitEncrypted, errors.New("inspect: encrypted: needs keys; not supported by this version yet"))
	case inspect.IsMissing(err):
		return fail(exitNo, fmt.Errorf("%w: to Beaker this is a new session", err))
	}
	return fail(exitCorrupt, err)
}

// report is what inspect prints.
type report struct {
	Kind     string
	Cookie   *cookieReport
	Warnings []string
	Error    string
	decoded  *inspect.Decoded
	where    inspect.Where
	size     int
}

type cookieReport struct {
	Name       string `json:"name,omitempty"`
	Signature  string `json:"signature"`
	ServerSide bool   `json:"server_side"`
}

func (r *report) found(d inspect.Decoded, where inspect.Where) { r.decoded, r.where = &d, where }

func (r *report) json(w io.Writer, _ bool) error {
	out := struct {
		Session  json.RawMessage `json:"session"`
		Form     *inspect.Form   `json:"form"`
		Kind     string          `json:"kind"`
		Writer   string          `json:"writer,omitempty"`
		Classes  []string        `json:"classes,omitempty"`
		Cookie   *cookieReport   `json:"cookie,omitempty"`
		Warnings []string        `json:"warnings,omitempty"`
		Error    string          `json:"error,omitempty"`
	}{Kind: r.Kind, Cookie: r.Cookie, Warnings: r.Warnings, Error: r.Error}
	if d := r.decoded; d != nil {
		tagged, err := taggedjson.Append(nil, d.Session, d.Dialect())
		if err != nil {
			return fmt.Errorf("inspect: this value cannot be written as JSON: %w; the text output can show it", err)
		}
		out.Session, out.Form = tagged, d.JSON()
		out.Writer, out.Classes = d.Writer(r.where), d.ClassNames()
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
		line("form", d.FormText())
		line("written by", "probably "+d.Writer(r.where))
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
			o.Hide = regexp.MustCompile(maskPattern).MatchString
		}
		b.WriteByte('\n')
		b.Write(tree.New(d.Session, o).AppendText(nil))
	}
	_, err := b.WriteTo(w)
	return err
}
