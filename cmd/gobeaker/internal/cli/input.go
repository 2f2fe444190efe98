package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
)

// maxInput bounds what is read, in bytes.
const maxInput = 64 << 20

// inputFlags say what is read, where it may be, and with which keys.
type inputFlags struct {
	as, key, dataDir string
	keys             keyFlags
}

func (i *inputFlags) register(f *pflag.FlagSet) {
	f.StringVar(&i.as, "as", "", "what it is: `cookie`, file, id or pickle")
	f.StringVar(&i.key, "key", "", "the `name` of the session cookie (default beaker.session.id)")
	f.StringVar(&i.dataDir, "data-dir", "", "Beaker's data_dir: the `directory` with container_file in it")
	i.keys.register(f)
}

// inspector knows where to look and with which keys.
type inspector struct {
	command string // for messages
	as      string
	stdin   io.Reader
	now     func() time.Time
	options compat.Options
	keys    inspect.Keys
	codec   *beakerfmt.Codec
}

func (i *inputFlags) open(command string, env Environment) (*inspector, error) {
	in := &inspector{command: command, as: i.as, stdin: env.Stdin, now: env.Now}
	switch i.as {
	case "", "cookie", "file", "id", "pickle":
	default:
		return nil, fmt.Errorf("%s: --as %s: use cookie, file, id or pickle", command, i.as)
	}
	if in.now == nil {
		in.now = time.Now
	}
	var err error
	if in.options, in.keys, err = i.keys.load(env.Getenv); err != nil {
		return nil, err
	}
	if i.key != "" {
		in.options.Key = i.key
	}
	if i.dataDir != "" {
		in.options.DataDir, in.options.FileDir = i.dataDir, ""
	}
	in.codec = in.keys.Codec(in.options.EncryptNonceBits)
	return in, nil
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
		if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
			break
		}
		return in.cookie(what)
	case "id":
		return in.id(what)
	}
	data, err := readFile(what)
	if err != nil {
		return nil, in.fileProblem(what, err)
	}
	if in.as == "" {
		return in.content(data, what)
	}
	if kind == "cookie" {
		return in.cookie(cookieText(data))
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
	if strings.ContainsAny(what, "=;\n") || strings.Contains(strings.ToUpper(what), "%3D") {
		return false
	}
	return ending.MatchString(filepath.Ext(what)) || strings.Contains(what, "/") && !longB64.MatchString(what)
}

func (in *inspector) fromStdin() (*report, error) {
	data, err := readAll(in.stdin)
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("%s: standard input: %w", in.command, err))
	}
	switch in.as {
	case "":
		return in.content(data, "standard input")
	case "cookie":
		return in.cookie(cookieText(data))
	case "id":
		return in.id(cookieText(data))
	}
	return in.bytes(data, in.as)
}

// byteOrderMark is what editors of Windows put in front of UTF-8.
const byteOrderMark = "\ufeff"

// cookieText is the text of a file without the newline at its end, which in a
// jar may stand for an empty value.
func cookieText(data []byte) string {
	text := strings.TrimPrefix(string(data), byteOrderMark)
	if inspect.IsJar(text) {
		return text
	}
	return strings.TrimSpace(text)
}

// content tells by the content what it is: a pickle, or the text of a cookie or
// an id. The name is for messages.
func (in *inspector) content(data []byte, name string) (*report, error) {
	text := cookieText(data)
	if text == "" {
		return nil, fail(exitCorrupt, fmt.Errorf("%s: %s is empty", in.command, name))
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
	return nil, fail(exitCorrupt, fmt.Errorf("%s: %s: neither a .cache record nor a pickle, nor the text of a Beaker cookie or a cookie jar; "+
		"records are in container_file below data_dir; if it was a pickle, --as pickle says where it is damaged", in.command, name))
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

var signatureDigits = regexp.MustCompile(`[0-9A-Fa-f]{40}`)

// shown is the name of a file in a message, unless it may be a cookie after all.
func shown(path string) string {
	if len(path) > 100 || signatureDigits.MatchString(path) {
		return "what was given (not repeated here, it may be a cookie)"
	}
	return path
}

// fileProblem says why a file that was named cannot be read, and what to do.
func (in *inspector) fileProblem(path string, err error) error {
	var other notRegularError
	if path = shown(path); errors.Is(err, syscall.ENAMETOOLONG) {
		err = fs.ErrNotExist
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(exitNo, fmt.Errorf("%s: %s: no such file; if it is a cookie or an id say --as cookie or --as id", in.command, path))
	case errors.As(err, &other) && other.mode.IsDir():
		return usage("%s: %s is a directory; name a file in it, or give the id of a session and --data-dir", in.command, path)
	case errors.As(err, &other):
		return usage("%s: %s %w, and only regular files are opened; to read it nevertheless: gobeaker %s - < %s", in.command, path, err, in.command, path)
	}
	return fail(exitCorrupt, fmt.Errorf("%s: %s: %w", in.command, path, withoutPath(err)))
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
			in.found(r, d, inspect.Elsewhere)
			return r, nil
		}
	}
	r.Kind = "file"
	d, err := inspect.File(data, in.codec)
	if err != nil {
		return r, in.verdict(r, err)
	}
	in.found(r, d, inspect.InFile)
	return r, nil
}

// id reads the record of a session.
func (in *inspector) id(id string) (*report, error) {
	if !in.options.IDs.Valid(id) {
		return nil, usage("%s: this is no session id: letters, digits, _ and - only", in.command)
	}
	dir := in.options.FileDir
	if dir == "" && in.options.DataDir != "" {
		dir = filepath.Join(in.options.DataDir, "container_file")
	}
	if dir == "" {
		return nil, usage("%s: where are the sessions? give --data-dir, --ini or --config (for a cookie say --as cookie)", in.command)
	}
	data, err := readFile(filepath.Join(dir, filepath.FromSlash(beakerfmt.DataPath(id))))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitNo, fmt.Errorf("%s: there is no session in %s with this id (its hash, by which logs name it, is %s)", in.command, dir, beakerfmt.HashID(id)))
	}
	if err != nil {
		return nil, fail(exitCorrupt, fmt.Errorf("%s: the session cannot be read (the hash of its id is %s): %w", in.command, beakerfmt.HashID(id), withoutPath(err)))
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
	signing := in.keys.Signing()
	c, err := inspect.ParseCookie(text, in.options.Key, signing)
	if err != nil {
		return nil, fail(exitNo, err)
	}
	r := &report{Kind: "cookie", Cookie: &cookieReport{Name: c.Name, Signature: string(c.Signature)}, Warnings: c.Warnings, size: len(text), cookie: &c}
	if c.SignedBy >= 0 {
		by := keyOf(signing, c.SignedBy, in.keys.Index(c.SignedBy))
		r.SignedBy = &by
	}
	d, err := inspect.Payload(c.Payload, c.SignedBy, in.codec)
	switch id, isID := c.SessionID(); {
	case err == nil:
		in.found(r, d, inspect.InCookie)
	case isID && in.options.Type == "cookie":
		return nil, fail(exitCorrupt, fmt.Errorf("%s: not a cookie-only value, or cut short; and with type = cookie there are no sessions on the server", in.command))
	case isID:
		if err := in.serverSide(r, id); err != nil {
			return r, err
		}
	case !c.Plausible():
		return nil, fail(exitCorrupt, fmt.Errorf("%s: %w: %s", in.command, errNotCookie, howToCopy))
	default:
		verdict := in.verdict(r, err)
		if c.Signature != inspect.Invalid {
			return r, verdict
		}
		return r, fail(exitNo, fmt.Errorf("%w; what is behind it is not read either: %w", in.invalid(), err))
	}
	if c.Signature == inspect.Invalid {
		return r, fail(exitNo, in.invalid())
	}
	return r, nil
}

func (in *inspector) invalid() error {
	return fmt.Errorf("%s: the signature is not valid: another secret, or another cookie than Python sent", in.command)
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
	record.Cookie, record.SignedBy, record.Warnings = r.Cookie, r.SignedBy, append(r.Warnings, record.Warnings...)
	*r = *record
	return err
}

// found puts what was decoded into the report, with what is to be said of it.
func (in *inspector) found(r *report, d inspect.Decoded, where inspect.Where) {
	r.decoded, r.where = &d, where
	rules := inspect.Rules{HasEncryptKey: len(in.keys.Encrypt) > 0, Timeout: in.options.Timeout, Now: in.now()}
	r.Warnings = append(r.Warnings, d.Warnings(where, rules)...)
	if d.Form.AES == beakerfmt.AESNone {
		return
	}
	signing := in.keys.Signing()
	r.Encryption = &encryptionReport{
		AES:         d.Form.AES.String(),
		NonceBits:   d.Form.NonceBits,
		EncryptKey:  keyOf(in.keys.Encrypt, d.Form.EncryptKey, d.Form.EncryptKey),
		ValidateKey: keyOf(signing, d.Form.ValidateKey, in.keys.Index(d.Form.ValidateKey)),
		labels:      in.keys.Encrypt[d.Form.EncryptKey].Label() + " and " + signing[d.Form.ValidateKey].Label(),
	}
}

func keyOf(keys []inspect.Key, i, index int) keyReport {
	return keyReport{Name: keys[i].Name, Index: index, From: keys[i].From}
}

// verdict turns what went wrong into an exit code, and says it in the report.
func (in *inspector) verdict(r *report, err error) error {
	r.Error = err.Error()
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted):
		return fail(exitEncrypted, fmt.Errorf("%s: encrypted: needs the encrypt_key (--encrypt-key-file, GOBEAKER_ENCRYPT_KEY, --ini or --config) and the validate_key, which goes into it", in.command))
	case errors.Is(err, beakerfmt.ErrDecrypt) && len(in.codec.ValidateKeys) == 0:
		return fail(exitEncrypted, fmt.Errorf("%s: encrypted: needs the validate_key too, which goes into the encryption (--validate-key-file, GOBEAKER_VALIDATE_KEY, --ini or --config)", in.command))
	case errors.Is(err, beakerfmt.ErrDecrypt):
		return fail(exitEncrypted, fmt.Errorf("%s: encrypted: no key opens it, in no mode of AES and with no size of nonce (encrypt keys tried: %d, validate keys: %d): other keys, or changed data",
			in.command, len(in.codec.EncryptKeys), len(in.codec.ValidateKeys)))
	case inspect.IsMissing(err):
		return fail(exitNo, fmt.Errorf("%w: to Beaker this is a new session", err))
	}
	return fail(exitCorrupt, err)
}
