package watch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

func TestCheckKeys(t *testing.T) {
	all := compat.Options{Secret: "s3", ValidateKey: "v3", EncryptKey: "e3"}
	for name, c := range map[string]struct {
		before, now compat.Options
		want        []string // names in the error; none: no error
	}{
		"the same":         {all, all, nil},
		"other ones":       {all, compat.Options{Secret: "a", ValidateKey: "b", EncryptKey: "c"}, nil},
		"never had any":    {compat.Options{}, compat.Options{}, nil},
		"one more":         {compat.Options{Secret: "s3"}, all, nil},
		"no secret":        {all, compat.Options{ValidateKey: "v3", EncryptKey: "e3"}, []string{"secret"}},
		"no validate_key":  {all, compat.Options{Secret: "s3", EncryptKey: "e3"}, []string{"validate_key"}},
		"in clear":         {all, compat.Options{Secret: "s3", ValidateKey: "v3"}, []string{"encrypt_key"}},
		"nothing any more": {all, compat.Options{}, []string{"secret", "validate_key", "encrypt_key"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := iniconf.NewEffective()
			before.Options = c.before
			for i, key := range []string{"secret", "validate_key", "encrypt_key"} {
				before.Origins[key] = iniconf.Origin{Kind: iniconf.FromIni, Position: iniconf.Position{File: "app.ini", Line: i + 4}}
			}
			err := CheckKeys(before, &iniconf.Effective{Options: c.now})
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrKeyGone)
			for _, name := range c.want {
				require.ErrorContains(t, err, name+", which was set at app.ini:")
			}
			require.NotContains(t, err.Error(), "s3")
		})
	}
	require.NoError(t, CheckKeys(nil, iniconf.NewEffective()))
}
