package beakerfmt

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// What stands before and after the id in a key of Redis.
const (
	redisPrefix = "beaker_cache:"
	redisSuffix = ":" + SessionKey
)

// RedisPattern is the pattern of SCAN that finds every key of [RedisKey].
const RedisPattern = redisPrefix + "*" + redisSuffix

// maxRedisKey is MAX_KEY_LENGTH.
const maxRedisKey = 1024

// RedisKey returns the key of a session: "beaker_cache:<id>:session". The id must
// have passed an [IDRule]. Beaker puts the SHA-1 of "session" in its place where
// the id is so long that the key would be; no rule lets such an id pass.
//
// Beaker: ext/redisnm.py, RedisNamespaceManager._format_key.
func RedisKey(id string) string {
	if len(SessionKey) > maxRedisKey-len(id)-len(redisPrefix)-1 {
		sum := sha1.Sum([]byte(SessionKey))
		return redisPrefix + id + ":" + hex.EncodeToString(sum[:])
	}
	return redisPrefix + id + redisSuffix
}

// RedisID is the reverse of RedisKey: the id in a key, which is still to pass an
// IDRule. Keys of other shapes, among them those of Beaker's caches and locks, are
// no sessions.
func RedisID(key string) (id string, ok bool) {
	id, ok = strings.CutPrefix(key, redisPrefix)
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, redisSuffix)
	if !ok || id == "" {
		return "", false
	}
	return id, RedisKey(id) == key
}

// DecodeRedis decodes what Redis keeps for a session: the pickle of its value, not
// of a container. Data that is no pickle is [ErrCorrupt].
//
// Beaker: ext/redisnm.py, RedisNamespaceManager.__getitem__.
func DecodeRedis(data []byte, lim pickle.Limits) (pyvalue.Value, error) {
	v, err := pickle.Decode(data, lim)
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: decode redis value: %w: %w", ErrCorrupt, err)
	}
	return v, nil
}

// AppendRedis appends what Redis is to keep for a session, in protocol 0 to 5.
// Protocol 2 is one that every Python reads; Beaker itself uses the default
// protocol of its Python, which is 0, 3 or 4.
//
// Beaker: ext/redisnm.py, RedisNamespaceManager.set_value.
func AppendRedis(dst []byte, v pyvalue.Value, proto int) ([]byte, error) {
	out, err := pickle.Append(dst, v, proto)
	if err != nil {
		return dst, fmt.Errorf("beakerfmt: encode redis value: %w", err)
	}
	return out, nil
}
