package settings

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/gobeaker/gobeaker/iniconf"
)

// Table is one table of gobeaker.toml, for the reference.
type Table struct {
	Name string // "[admin]", "[[route]]", "[policy.<name>]"; "" for what stands before all tables
	Help string
	Keys []Key
}

// Key is a key of a table.
type Key struct {
	Name, Value, Default, Help string
}

// Tables describes the whole file, in the order in which one would write it.
func Tables() []Table {
	d := Default()
	top := Table{Help: "These stand before all tables."}
	var rest []Table
	describe(reflect.ValueOf(&d).Elem(), "", &top, &rest)
	return append([]Table{top}, rest...)
}

// describe adds the keys of a struct to t, and the tables in it to rest.
func describe(v reflect.Value, prefix string, t *Table, rest *[]Table) {
	for field, x := range v.Fields() {
		key, help := field.Tag.Get("toml"), field.Tag.Get("help")
		inner, array := field.Type, false
		switch inner.Kind() {
		case reflect.Pointer:
			inner = inner.Elem()
		case reflect.Slice, reflect.Map:
			array = inner.Elem().Kind() == reflect.Struct && inner.Elem() != reflect.TypeFor[Header]()
			if array {
				inner = inner.Elem()
			}
		}
		switch {
		case field.Anonymous:
			t.Keys = append(t.Keys, Key{Help: "and the keys of a [policy.<name>]"})
		case key == "":
		case key == "session":
			*rest = append(*rest, sessionTables(help)...)
		case inner.Kind() != reflect.Struct:
			t.Keys = append(t.Keys, Key{Name: key, Value: valueOf(field), Default: defaultOf(field, x), Help: help})
		default:
			table := Table{Name: "[" + prefix + key + "]", Help: help}
			below := prefix + key + "."
			switch {
			case field.Type.Kind() == reflect.Map:
				below += "<name>."
				table.Name = "[" + prefix + key + ".<name>]"
			case array:
				table.Name = "[[" + prefix + key + "]]"
			}
			if field.Type.Kind() != reflect.Struct {
				x = reflect.New(inner).Elem()
			}
			var under []Table
			describe(x, below, &table, &under)
			*rest = append(append(*rest, table), under...)
		}
	}
}

// defaultOf is the default of a key as it would be written; "" if its help says more.
func defaultOf(field reflect.StructField, v reflect.Value) string {
	if !v.CanAddr() || !isScalar(v) || v.IsZero() && v.Kind() != reflect.Bool {
		return ""
	}
	text := textOf(v)
	if v.Kind() == reflect.String || v.Kind() == reflect.Uint32 || field.Type == reflect.TypeFor[Duration]() || field.Type == reflect.TypeFor[Size]() {
		return `"` + text + `"`
	}
	return text
}

// ownSession are the keys of [session] that are no options of the sessions.
var ownSession = []Key{
	{"ini", "file", "", "the Python application's ini, \"file#application\" if that is not main: its options come first, those beside it replace them"},
	{"ini_dialect", "text", `"auto"`, "who reads that file: auto, python2, python3, or python3.9 for Python 3.6 to 3.9"},
	{"ini_global", "table", "", "the settings that are given to the ini from outside, as name=value on the command line of paster or pserve"},
	{"pastedeploy", "text", "", "\"1.5\" or \"2.1\": whose precedence they and [DEFAULT] have; default: that of the dialect"},
	{"framework", "text", `"auto"`, "who makes the application's session middleware, as that decides defaults and prefixes: auto, beaker, pylons, turbogears, turbogears-2.4, pyramid_beaker, ckan, ckan-2.9 or ckan-2.10"},
	{"strict_beaker", "true|false", "false", "read invalidate_corrupt and use_cookies of the ini as Beaker does, to which the text \"false\" is true"},
	{"editable", "true|false", "false", "the session page counts visits and has forms that set and delete keys; whoever reaches it can write any key of their own session, \"user\" or \"is_admin\" included"},
	{"secret_file, secret_env", "file, name", "", "the file whose first line is the secret; the variable that is the secret; likewise for validate_key, encrypt_key and url"},
	{"old_secret_files", "files", "", "files that hold old_secrets; likewise old_validate_key_files, old_encrypt_key_files"},
}

// further is what the reference says of options beyond their help.
var further = map[string]string{
	"peer": "With auto a record is written back in the form in which it was, but new sessions in the form of Beaker 1.12 and later, which Beaker up to 1.11 cannot read. " +
		"If the applications run such a one, say so: \"beaker-1.11\", with Python's major version or the AES library, as in \"beaker-1.11/python2\" or \"beaker-1.13/nss\"; or by a name: " +
		"pylons-1.0, turbogears-2.4, turbogears-2.5, pyramid_beaker, ckan-2.9, ckan-2.10",
	"old_secrets":    "what they signed is signed with the secret when it is next seen",
	"touch_interval": "a session that was only read is written for its access time when the stored one is older than this; \"0s\": always, as Beaker does",
	"cache_time":     "a change that Python makes is seen at once where sessions are files, else after this time at the latest",
}

// sessionTables are [session] and [session.extra].
func sessionTables(help string) []Table {
	t := Table{Name: "[session]", Help: help, Keys: ownSession}
	defaults := map[string]any{}
	for _, o := range iniconf.NewEffective().List() {
		defaults[o.Name] = o.Value
	}
	for _, info := range iniconf.OptionInfos() {
		k := Key{Name: info.Name, Value: string(info.Type), Help: info.Help}
		if more, ok := further[info.Name]; ok {
			k.Help += ". " + strings.ToUpper(more[:1]) + more[1:]
		}
		switch v := defaults[info.Name].(type) {
		case nil:
		case string:
			k.Default = fmt.Sprintf("%q", v)
		default:
			k.Default = fmt.Sprint(v)
		}
		t.Keys = append(t.Keys, k)
	}
	return []Table{t, {Name: "[session.extra]", Help: "Options that only a back end knows, as text, number, true or false: sa.pool_size, memcached's behavior.* …"}}
}

const referenceHead = `Every key of gobeaker.toml. Paths of files and of sockets are relative to the file that names them;
times are texts such as "10s" or "2m"; sizes are numbers of bytes or texts such as "64KiB";
addresses are host:port or unix:path.

Every key that is not in a [[list]], in a [policy.<name>] or in [session] also has a flag and
a variable: [admin] listen is --admin-listen and GOBEAKER_ADMIN_LISTEN. (Log lines of
requests, [log] access, are --access-log and GOBEAKER_ACCESS_LOG.) Lists have commas there.
Flags go before variables, variables before the file.

  --route PREFIX=UPSTREAM      in place of the routes of the file; can be repeated.
                               GOBEAKER_ROUTE has several with spaces between them
  --session OPTION=VALUE       an option of [session] that is no secret; can be repeated.
                               GOBEAKER_SESSION_<OPTION>, as in GOBEAKER_SESSION_TIMEOUT
  --data-dir FOLDER            [session] data_dir, with type = "file"; GOBEAKER_DATA_DIR
  GOBEAKER_SECRET, GOBEAKER_VALIDATE_KEY, GOBEAKER_ENCRYPT_KEY, GOBEAKER_URL
                               the secrets of [session], which have no flags
  GOBEAKER_CONFIG              the file, as --config
`

// Text is the reference for a terminal.
func Text() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, t := range Tables() {
		b.WriteString("\n")
		if t.Name != "" {
			b.WriteString(t.Name + "\n")
		}
		wrap(&b, "  ", t.Help)
		for _, k := range t.Keys {
			b.WriteString("\n")
			if k.Name != "" {
				line := "  " + k.Name + " = " + k.Value
				if k.Default != "" {
					line += " (default " + k.Default + ")"
				}
				b.WriteString(line + "\n")
			}
			wrap(&b, "      ", k.Help)
		}
	}
	return b.String()
}

// wrap writes a text in lines of 80 letters.
func wrap(b *strings.Builder, indent, text string) {
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > 80 && line != indent {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
