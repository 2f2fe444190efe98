package main

import (
	"bytes"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
)

// onePass looks at every byte once, as whoever makes sense of them must.
func onePass[T string | []byte](data T) {
	var x byte
	for i := range len(data) {
		x ^= data[i]
	}
	runtime.KeepAlive(x)
}

func bareVerify(header, key string) error {
	_, value, _ := strings.Cut(header, "=")
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(value[beakerfmt.SignatureLen:]))
	given, err := hex.DecodeString(value[:beakerfmt.SignatureLen])
	if err == nil && !hmac.Equal(mac.Sum(nil), given) {
		err = errors.New("bad signature")
	}
	return err
}

// payload is what follows the signature, which is checked.
func payload(header string) (string, error) {
	onePass(header)
	_, value, _ := strings.Cut(header, "=")
	return value[beakerfmt.SignatureLen:], bareVerify(header, validateKey)
}

func bareJSON(header string) ([]byte, error) {
	text, err := payload(header)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	doc, err := io.ReadAll(r)
	onePass(doc)
	return doc, err
}

func bareJSONLoad(header string) error {
	_, err := bareJSON(header)
	return err
}

func bareJSONSave(header string) error {
	doc, err := bareJSON(header)
	if err != nil {
		return err
	}
	onePass(doc)
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(doc); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	bareSign(base64.StdEncoding.EncodeToString(out.Bytes()))
	return nil
}

func bareSign(payload string) {
	mac := hmac.New(sha1.New, []byte(validateKey))
	mac.Write([]byte(payload))
	onePass(hex.EncodeToString(mac.Sum(nil)) + payload)
}

const nonceLen = 24

func bareAES(header string) ([]byte, error) {
	text, err := payload(header)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(text[nonceLen:])
	if err != nil {
		return nil, err
	}
	err = bareCTR(raw, text[:nonceLen])
	onePass(raw)
	return raw, err
}

func bareCTR(data []byte, nonce string) error {
	key, err := pbkdf2.Key(sha1.New, encryptKey, []byte(validateKey+nonce), 1, 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(data, data)
	return nil
}

func bareAESLoad(header string) error {
	_, err := bareAES(header)
	return err
}

func bareAESSave(header string) error {
	plain, err := bareAES(header)
	if err != nil {
		return err
	}
	onePass(plain)
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	nonce := base64.StdEncoding.EncodeToString(random)
	if err := bareCTR(plain, nonce); err != nil {
		return err
	}
	bareSign(nonce + base64.StdEncoding.EncodeToString(plain))
	return nil
}
