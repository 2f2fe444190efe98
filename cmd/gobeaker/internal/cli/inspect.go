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
	"syscall"

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

  cookie   a value, name=value, a Cookie header, a Set-Cookie line; or a file
           with one of them, or a cookie jar (curl -c): --key names the cookie
  file     a .cache file of the file back end
  id       a session id; the record is looked up in --data-dir, or in the
           directory that --ini or --config names
  pickle   a file with any pickle
  -        one of them on standard input; pipes and devices are read so only

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
  curl -c jar.txt … && gobeaker inspect --key sid jar.txt
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
	if err != nil {
		return nil, fileProblem(what, err)
	}
	if in.as == "" {
		return in.content(data, what)
	}
	return in.bytes(data, kind)
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// guess tells the kinds apart: what is there as a file, or would be one by its
// name, is one; 27 or 32 plain characters are an id; the rest is a cookie.
func (in *inspector) guess(what string) string {
	_, err := os.Stat(what)
	switch {
	case err == nil || errors.Is(err, fs.ErrPermission) || looksLikePath(what):
		return "file"
	case plainID.MatchString(what) && len(what) < beakerfmt.SignatureLen:
		return "id"
	}
	return "cookie"
}

var (
	rooted  = regexp.MustCompile(`^(/|\./|\.\./|~)`)
	ending  = regexp.MustCompile(`^\.[A-Za-z][A-Za-z0-9_]{0,9}$`)
	longB64 = regexp.MustCompile(`^[A-Za-z0-9+/]{64,}$`)
)

// looksLikePath tells the name of a file that is not there from a cookie. A
// cookie of Beaker's is hex digits and base64: it may have a slash in it, but
// neither begins with one nor has a dot.
func looksLikePath(what string) bool {
	if rooted.MatchString(what) {
		return true
	}
	if strings.ContainsAny(what, "=;\n") {
		return false
	}
	return ending.MatchString(filepath.Ext(what)) || strings.Contains(what, "/") && !longB64.MatchString(what)
}

func (in *inspector) fromStdin() (*report, error) {
	data, err := readAll(in.stdin)
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: standard input: %w", err))
	}
	switch text := strings.TrimSpace(string(data)); in.as {
	case "":
		return in.content(data, "standard input")
	case "cookie":
		return in.cookie(cookieText(data))
	case "id":
		return in.id(text)
	}
	return in.bytes(data, in.as)
}

// cookieText is the text of a file without the newline at its end, which in a
// jar may stand for an empty value.
func cookieText(data []byte) string {
	if text := string(data); inspect.IsJar(text) {
		return text
	}
	return strings.TrimSpace(string(data))
}

// content tells by the content what it is: a pickle, or the text of a cookie or
// an id. The name is for messages.
func (in *inspector) content(data []byte, name string) (*report, error) {
	text := cookieText(data)
	if text == "" {
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: %s is empty", name))
	}
	if _, err := inspect.Pickle(data); err == nil {
		return in.bytes(data, "pickle")
	}
	switch {
	case filepath.Ext(name) == ".cache":
		return in.bytes(data, "file") // says where it is damaged
	case data[0] == protoOpcode:
		return in.bytes(data, "pickle")
	case isText(data) && plainID.MatchString(text) && len(text) < beakerfmt.SignatureLen:
		return in.id(text)
	case isText(data):
		if r, err := in.cookie(text); !errors.Is(err, errNotCookie) {
			return r, err
		}
	}
	return nil, fail(exitCorrupt, fmt.Errorf("inspect: %s: neither a .cache record nor a pickle, nor the text of a Beaker cookie or a cookie jar; "+
		"records are in container_file below data_dir; if it was a pickle, --as pickle says where it is damaged", name))
}

// protoOpcode begins every pickle of protocol 2 or later.
const protoOpcode = 0x80

func isText(data []byte) bool {
	return !bytes.ContainsFunc(data, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r == 0xfffd })
}

// notRegularError: it is something else than a regular file.
type notRegularError struct{ mode fs.FileMode }

func (e notRegularError) Error() string {
	switch {
	case e.mode.IsDir():
		return "is a directory"
	case e.mode&fs.ModeNamedPipe != 0:
		return "is a named pipe"
	case e.mode&fs.ModeSocket != 0:
		return "is a socket"
	}
	return "is a device"
}

// readFile reads a regular file. Others may have no end, or nobody may ever
// write to them.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegularError{info.Mode()}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe just now
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = notRegularError{info.Mode()}
	}
	if err != nil {
		return nil, err
	}
	return readAll(f)
}

// fileProblem says why a file that was named cannot be read, and what to do.
func fileProblem(path string, err error) error {
	var other notRegularError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(exitNo, fmt.Errorf("inspect: %s: no such file; if it is a cookie or an id say --as cookie or --as id", path))
	case errors.As(err, &other) && other.mode.IsDir():
		return usage("inspect: %s is a directory; name a file in it, or give the id of a session and --data-dir", path)
	case errors.As(err, &other):
		return usage("inspect: %s %w, and only regular files are opened; to read it nevertheless: gobeaker inspect - < %s", path, err, path)
	}
	return fail(exitCorrupt, fmt.Errorf("inspect: %s: %w", path, withoutPath(err)))
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
		return nil, fail(exitNo, fmt.Errorf("inspect: there is no session in %s with this id (its hash, by which logs name it, is %s)", dir, beakerfmt.HashID(id)))
	}
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: the session cannot be read (the hash of its id is %s): %w", beakerfmt.HashID(id), withoutPath(err)))
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
	case !c.Plausible():
		return nil, fail(exitCorrupt, fmt.Errorf("inspect: %w: %s", errNotCookie, howToCopy))
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

// errNotCookie: Beaker cannot have made it.
var errNotCookie = errors.New("not a Beaker cookie value")

const howToCopy = "one begins with the 40 hex digits of its signature, or is base64 at least. Copy the value of the session cookie " +
	"(beaker.session.id, unless the application sets another key) from the browser or a Cookie header; for a file give its path, and - for standard input"

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
