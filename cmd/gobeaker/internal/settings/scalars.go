package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Scalar is a setting that is not in an array or a named table, and so has a flag and a
// variable.
type Scalar struct {
	Key      string // in gobeaker.toml: "admin.listen"
	Flag     string // "admin-listen"
	Variable string // "GOBEAKER_ADMIN_LISTEN"
	Value    string // what kind of text it takes: "address", "true|false"
	Default  string // as it is written for a flag; "" if there is none
	Help     string
}

// Scalars returns them all, in the order of the tables.
func Scalars() []Scalar {
	var out []Scalar
	d := Default()
	scalars(reflect.ValueOf(&d).Elem(), "", func(s Scalar, _ reflect.Value) { out = append(out, s) })
	return out
}

// scalars calls f with each setting of a table and of those in it.
func scalars(table reflect.Value, prefix string, f func(Scalar, reflect.Value)) {
	for field, v := range table.Fields() {
		key := field.Tag.Get("toml")
		if key == "" || key == "session" {
			continue
		}
		if !isScalar(v) {
			if v.Kind() == reflect.Struct {
				scalars(v, prefix+key+".", f)
			}
			continue
		}
		key = prefix + key
		flag := field.Tag.Get("flag")
		if flag == "" {
			flag = strings.NewReplacer(".", "-", "_", "-").Replace(key)
		}
		f(Scalar{
			Key: key, Flag: flag, Variable: variable(flag), Value: valueOf(field), Default: textOf(v), Help: field.Tag.Get("help"),
		}, v)
	}
}

// variable is the name that a flag has in the environment.
func variable(flag string) string {
	return "GOBEAKER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// isScalar reports whether a text can be read into v.
func isScalar(v reflect.Value) bool {
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Float64:
		return true
	case reflect.Slice:
		return v.Type().Elem().Kind() == reflect.String
	}
	return false
}

// valueOf says what kind of text a field takes.
func valueOf(field reflect.StructField) string {
	if kind := field.Tag.Get("value"); kind != "" {
		return kind
	}
	switch field.Type {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[FileMode]():
		return "mode"
	}
	switch field.Type.Kind() {
	case reflect.Bool:
		return "true|false"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Pointer:
		if field.Type.Elem().Kind() == reflect.Bool {
			return "true|false"
		}
		return "number"
	case reflect.Map:
		return "table"
	}
	return "list"
}

// textOf is what parse reads as v; "" if it is not set.
func textOf(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case []string:
		return strings.Join(x, ",")
	case fmt.Stringer:
		return x.String()
	}
	return fmt.Sprint(v.Interface())
}

// parse reads the text of a flag or a variable into a setting. A list has commas.
func parse(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("use true or false")
		}
		v.SetBool(on)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("give a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("give a number")
		}
		v.SetFloat(x)
	case reflect.Slice:
		list := []string{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		v.Set(reflect.ValueOf(list))
	}
	return nil
}
