package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/convert"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
)

const convertLong = `Convert reads what inspect reads, and writes it in another form, to standard
output or to --out. WHAT, --as, --key, --data-dir and the keys are those of inspect.

--to says what comes out; without it, what went in:

  pickle      the session alone, or any pickle: pickle:0 to pickle:5, 2 by default
  json        the session alone, as Python's json.dumps writes it
  tagged-json the session alone, with the Python type of every value
  record      a .cache record, in the form of --peer, or the one that it had
  dict        a record with the dict itself in it, as of Beaker up to 1.11
  text        a record with base64 text in it, as of Beaker from 1.12 on
  cookie      the value of a cookie, signed with the first validate_key

record, dict and text take a protocol too, dict:0, which is that of the pickle around
the session; 2 is read by every Python.

--peer writes for one Beaker: "beaker-1.11", "beaker-1.13/python3", "pylons-1.0" …; what
that Beaker or its Python would not read is an error.

--encrypt replaces the encryption: ctr (PyCrypto, pycryptodome, pycryptopp), cbc (nss),
gcm (cryptography) or none. Without it an encrypted session stays encrypted, under the
first keys, so that --encrypt-key-file new --encrypt-key-file old moves it to the new
one; keys of flags come before those of the environment, and those before --ini's.
Nothing that was encrypted comes out of record, dict, text or cookie in clear without
--encrypt none. A cookie whose signature is wrong is not converted.

JSON holds less than Python. What it does not hold is an error that names the place
and the type: session["cart"][2]: datetime.datetime cannot be JSON. What it changes is
told on standard error: tuples become lists, keys that are no text become text.

` + keyHelp + `

A file of --out must not be there yet, and is readable by its owner alone. Convert takes
no lock: to replace the record of an application that runs, stop it first.`

type convertFlags struct {
	input                         inputFlags
	to, peer, serializer, encrypt string
	out                           string
}

func newConvert(env Environment) *cobra.Command {
	var o convertFlags
	c := &cobra.Command{
		Use:   "convert WHAT",
		Short: "Write a session or a pickle in another form",
		Long:  convertLong,
		Example: `  gobeaker convert --to json 1e4c684fb206494191440c2cc28cbc22.cache
  gobeaker convert --to pickle:2 state.pickle > state2.pickle
  gobeaker convert --peer beaker-1.11/python2 --out old.cache new.cache
  gobeaker convert --validate-key-file new.txt --validate-key-file old.txt cookie.txt
  gobeaker convert --ini production.ini --encrypt gcm - < cookie.txt`,
		Args: oneWhat,
		RunE: func(_ *cobra.Command, args []string) error { return runConvert(args[0], &o, env) },
	}
	f := c.Flags()
	o.input.register(f)
	f.StringVar(&o.to, "to", "", "what comes out: `form` is pickle, json, tagged-json, record, dict, text or cookie")
	f.StringVar(&o.peer, "peer", "", "the `Beaker` that must be able to read it, as beaker-1.11/python2")
	f.StringVar(&o.serializer, "serializer", "", "pickle or json: how the session stands in a text or a cookie")
	f.StringVar(&o.encrypt, "encrypt", "", "the `mode` of AES: ctr, gcm, cbc or none")
	f.StringVar(&o.out, "out", "", "write to this `file` instead of standard output")
	return c
}

func runConvert(what string, o *convertFlags, env Environment) error {
	in, err := o.input.open("convert", env)
	if err != nil {
		return fail(exitUsage, err)
	}
	target, err := o.target(&in.options)
	if err != nil {
		return fail(exitUsage, err)
	}
	report, err := in.run(what)
	if err != nil {
		return err
	}
	if report.decoded == nil { // a cookie whose record is somewhere else
		return usage("convert: the cookie carries the id of a server-side session: give --data-dir, --ini or --config")
	}
	if target.Kind == convert.Cookie || target.Kind == convert.Same && report.where == inspect.InCookie {
		if c := report.cookie; c != nil && report.where == inspect.InCookie && c.SignedBy < 0 && c.Signature != inspect.Unchecked {
			return fail(exitNo, errors.New("convert: the cookie is not signed; a signature would make it look like one that the application sent"))
		}
	}
	result, err := convert.Encode(report.decoded, report.where, target, in.codec)
	switch {
	case errors.Is(err, convert.ErrTarget):
		return fail(exitUsage, err)
	case err != nil:
		return fail(exitNo, err)
	}
	for _, note := range result.Notes {
		fmt.Fprintf(env.Stderr, "gobeaker: convert: note: %s\n", note)
	}
	if !result.Binary {
		result.Data = append(result.Data, '\n')
	}
	return o.write(result.Data, env.Stdout)
}

// target reads the flags.
func (o *convertFlags) target(options *compat.Options) (convert.Target, error) {
	t := convert.Target{Kind: convert.Same, Protocol: -1, Peer: options.Peer, CryptoType: options.CryptoType, NonceBits: options.EncryptNonceBits}
	var err error
	if o.to != "" {
		if t.Kind, t.Protocol, err = convert.ParseKind(o.to); err != nil {
			return t, err
		}
	}
	if o.peer != "" {
		if t.Peer, err = compat.ParsePeer(o.peer); err != nil {
			return t, fmt.Errorf("convert: --peer: %w", err)
		}
	}
	if o.serializer != "" {
		if t.Serializer, err = convert.ParseSerializer(o.serializer); err != nil {
			return t, err
		}
	}
	if o.encrypt != "" {
		if t.AES, err = convert.ParseAES(o.encrypt); err != nil {
			return t, err
		}
	}
	if bare(&t) && (t.Serializer != nil || t.AES != nil) {
		return t, fmt.Errorf("convert: --to %s is the session alone, in clear: --serializer and --encrypt are for record, dict, text and cookie", o.to)
	}
	if o.to == "" && o.peer == "" && o.serializer == "" && o.encrypt == "" && len(o.input.keys.validate)+len(o.input.keys.encrypt)+len(o.input.keys.secret) < 2 {
		return t, errors.New("convert: into what? give --to, --peer, --serializer, --encrypt, or new keys before old ones")
	}
	return t, nil
}

// bare: neither the form of a session nor its encryption is left.
func bare(t *convert.Target) bool {
	return t.Kind == convert.BarePickle || t.Kind == convert.JSON || t.Kind == convert.TaggedJSON
}

// write puts the result where it is wanted. A file that is there is not replaced.
func (o *convertFlags) write(data []byte, stdout io.Writer) error {
	if o.out == "" {
		if _, err := stdout.Write(data); err != nil {
			return fail(exitNo, err)
		}
		return nil
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage("convert: --out %s: there is such a file; name another one", o.out)
	}
	if err != nil {
		return fail(exitNo, fmt.Errorf("convert: --out: %w", err))
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(o.out)
		return fail(exitNo, fmt.Errorf("convert: --out: %w", err))
	}
	return nil
}
