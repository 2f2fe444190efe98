package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

const inspectLong = `Inspect shows what is in a session, with Python's types, in which form it stands
and who probably wrote it. WHAT is one of these, told apart by itself or by --as:

  cookie   a value, name=value, a Cookie header, a Set-Cookie line; or a file
           with one of them, or a cookie jar (curl -c): --key names the cookie
  file     a .cache file of the file back end
  id       a session id; the record is looked up in --data-dir, or in the
           directory that --ini or --config names
  pickle   a file with any pickle
  -        one of them on standard input; pipes and devices are read so only

Signatures are checked and encryption is opened with every key that is known,
in every mode of AES and with every size of nonce that Beaker ever used.
` + keyHelp + `

Nothing is executed or written, and files are read without their lock. The values
are printed as they are: do not paste the output where others read it. --mask
hides those under keys that look like secrets. Keys are never printed.

--json prints one object. Fields that do not apply are left out, but for the
first three:

  session           tagged JSON: every value with its Python type; or null
  form              text (dict, str, py2str, bytes), serializer (pickle, json),
                    protocol, container_protocol, aes, nonce_bits; or null
  kind              cookie, file or pickle
  writer            who probably wrote it, in words
  written_by        the same: beaker and python with from and to, the evidence
  classes           Python classes and functions that the pickle names
  serialized_bytes  size of the pickle, or of the JSON when inflated
  cookie            name, signature, server_side
  signed_by         the key that signed the cookie: name, index (0 is the first
                    of its name), from
  encryption        aes, nonce_bits; encrypt_key and validate_key as signed_by
  warnings          texts for people
  error             what went wrong`

func newInspect(env Environment) *cobra.Command {
	var input inputFlags
	var asJSON, mask bool
	c := &cobra.Command{
		Use:   "inspect WHAT",
		Short: "Show what is in a cookie, a session file, a session or a pickle",
		Long:  inspectLong,
		Example: `  gobeaker inspect data/container_file/1/1e/1e4c684fb206494191440c2cc28cbc22.cache
  gobeaker inspect --data-dir data 1e4c684fb206494191440c2cc28cbc22
  gobeaker inspect --ini production.ini 'Cookie: lang=en; beaker.session.id=0b75…'
  curl -c jar.txt … && gobeaker inspect --key sid jar.txt
  gobeaker inspect --validate-key-file new.txt --validate-key-file old.txt --encrypt-key-file aes.txt cookie.txt
  gobeaker inspect --json --secret-file secret.txt - < cookie.txt`,
		Args: oneWhat,
		RunE: func(_ *cobra.Command, args []string) error {
			if mask && asJSON {
				return usage("inspect: --mask works on the text output only")
			}
			return runInspect(args[0], &input, asJSON, mask, env)
		},
	}
	input.register(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with the session as tagged JSON")
	c.Flags().BoolVar(&mask, "mask", false, "hide values under keys that look like secrets (text output only)")
	return c
}

func runInspect(what string, input *inputFlags, asJSON, mask bool, env Environment) error {
	in, err := input.open("inspect", env)
	if err != nil {
		return fail(exitUsage, err)
	}
	report, err := in.run(what)
	if report != nil {
		print := report.text
		if asJSON {
			print = report.json
		}
		if err := print(env.Stdout, mask); err != nil {
			return fail(exitNo, err)
		}
	}
	return err
}

// oneWhat says what WHAT is to who does not know yet.
func oneWhat(c *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("%s: give one WHAT, and this is %d: a cookie, a .cache file, a session id, a file with a pickle or a cookie, or - for standard input", c.Name(), len(args))
}
