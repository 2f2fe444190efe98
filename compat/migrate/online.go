package migrate

import (
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// Form returns what tiered.Options wants as ToNew and ToOld: a function that returns a
// session in the form of to, whichever of the Managers can read it. What has that
// form is returned as it is, and so is what has no session in it.
func Form(to *compat.Manager, others ...*compat.Manager) func(pyvalue.Value) (pyvalue.Value, error) {
	all := append([]*compat.Manager{to}, others...)
	targets := map[*compat.Manager]target{}
	for _, m := range all {
		targets[m] = newTarget(m, to)
	}
	return func(v pyvalue.Value) (pyvalue.Value, error) {
		e, by, err := examine(v, all...)
		if err != nil {
			return nil, fmt.Errorf("migrate: form: %w", err)
		}
		if e.State == compat.Dead {
			return v, nil
		}
		t := targets[by]
		changed, err := t.adapt(&e)
		if err == nil {
			v, err = t.value(v, e, changed)
		}
		if err != nil {
			return nil, fmt.Errorf("migrate: form: %w", err)
		}
		return v, nil
	}
}

// Newer returns what tiered.Options wants under that name: the session that was
// accessed later is newer. What cannot be read, or does not tell, is no newer than anything.
func Newer(managers ...*compat.Manager) func(a, b pyvalue.Value) bool {
	return func(a, b pyvalue.Value) bool {
		x, _, err1 := examine(a, managers...)
		if err1 != nil || x.Accessed.IsZero() {
			return false
		}
		y, _, err2 := examine(b, managers...)
		return err2 != nil || x.Accessed.After(y.Accessed)
	}
}

// Dead returns what tiered.Options wants under that name.
func Dead(managers ...*compat.Manager) func(pyvalue.Value) bool {
	return func(v pyvalue.Value) bool {
		e, _, err := examine(v, managers...)
		return err == nil && e.State == compat.Dead
	}
}
