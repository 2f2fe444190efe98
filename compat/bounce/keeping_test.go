package bounce

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/scripts/peers"
)

// keeping is a way to keep sessions that Python and Go have in common.
type keeping struct {
	name    string
	options compat.Options
	beaker  map[string]any // the same for Beaker, in its words
	python2 bool
}

func (k keeping) dialect() taggedjson.Dialect {
	if k.python2 {
		return taggedjson.Python2
	}
	return taggedjson.Python3
}

// keepings are those that a peer has.
func keepings(t *testing.T, venv peers.Venv) (all []keeping) {
	peer := peerOf(t, venv)
	era := peer.Era()
	add := func(name, kind, serializer, cryptoType string) {
		all = append(all, newKeeping(t, peer, name, kind, serializer, cryptoType))
	}
	add("cookie/pickle", "cookie", "pickle", "")
	add("file/plain", "file", "pickle", "")
	if era.JSON {
		add("cookie/json", "cookie", "json", "")
	}
	if peer.Crypto == "" {
		return all
	}
	types := []string{"default"}
	for _, library := range []string{"cryptography", "pycrypto"} {
		if library != peer.Crypto && slices.Contains(era.CryptoTypes, library) && has(venv, library) {
			types = append(types, library)
		}
	}
	for _, cryptoType := range types {
		add("cookie/encrypted/"+cryptoType, "cookie", "pickle", cryptoType)
		if era.JSON {
			add("cookie/encrypted json/"+cryptoType, "cookie", "json", cryptoType)
		}
		if era.ServerAES {
			add("file/encrypted/"+cryptoType, "file", "pickle", cryptoType)
		}
	}
	return all
}

// peerOf is a venv's Beaker with the AES library that it takes by default.
func peerOf(t *testing.T, venv peers.Venv) compat.Peer {
	peer, err := compat.ParsePeer(venv.Peer())
	require.NoError(t, err)
	for _, library := range slices.Backward(peer.Era().Libraries) {
		if has(venv, library) {
			peer.Crypto = library
		}
	}
	return peer
}

// has reports whether a venv has an AES library, by Beaker's name for it.
func has(venv peers.Venv, library string) bool {
	names := map[string][]string{"pycrypto": {"pycrypto", "pycryptodome"}, "nss": {"python-nss"}}[library]
	return slices.ContainsFunc(append(names, library), func(name string) bool {
		_, ok := venv.Packages[name]
		return ok
	})
}

func newKeeping(t *testing.T, peer compat.Peer, name, kind, serializer, cryptoType string) keeping {
	o := compat.Defaults()
	o.Type, o.Peer = kind, peer
	b := map[string]any{"type": kind}
	if kind != "cookie" {
		o.DataDir = t.TempDir()
		b["data_dir"] = o.DataDir
	}
	return configured(name, o, b, serializer, cryptoType)
}

// configured adds what all keepings of a place have in common.
func configured(name string, o compat.Options, b map[string]any, serializer, cryptoType string) keeping {
	o.Key, o.DataSerializer = "bounce", serializer
	o.Secret, o.ValidateKey = "of the signature", "of validation"
	o.Timeout = time.Hour
	// Otherwise what cannot be read would pass for a new session.
	o.InvalidateCorrupt = false
	b["key"], b["timeout"], b["invalidate_corrupt"] = o.Key, 3600, false
	if o.Type == "cookie" {
		b["validate_key"] = o.ValidateKey
	} else {
		b["secret"] = o.Secret
	}
	if serializer != "pickle" {
		b["data_serializer"] = serializer
	}
	if cryptoType != "" {
		o.EncryptKey, o.CryptoType = "of encryption", cryptoType
		b["encrypt_key"], b["validate_key"] = o.EncryptKey, o.ValidateKey
		if cryptoType != "default" {
			b["crypto_type"] = cryptoType
		}
	}
	return keeping{name: name, options: o, beaker: b, python2: o.Peer.Python == 2}
}
