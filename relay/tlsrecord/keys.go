package tlsrecord

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	nonceSize   = 12
	headerSize  = 5       // of a record
	tagSize     = 16      // of every AEAD that TLS 1.3 has
	maxPlain    = 1 << 14 // content of a record
	maxSealed   = maxPlain + 256
	maxRecord   = headerSize + maxSealed
	typeAlert   = 21
	typeShake   = 22
	typeData    = 23
	closeNotify = 0

	// keyLife is how many blocks of 16 bytes one AES-GCM key may seal: a little under 2^24.5 records of 1024 blocks
	// (RFC 8446, 5.5), 378 GB. A worker lives for 15 minutes at most.
	keyLife = 22 << 20 * (maxPlain / 16)
)

// half is one direction of a connection.
type half struct {
	aead  cipher.AEAD // nil where there is no TLS
	iv    [nonceSize]byte
	nonce [nonceSize]byte // scratch: a local would escape into the AEAD and be allocated for each record
	seq   uint64
	used  uint64 // blocks
	life  uint64 // blocks the key is good for
}

// newHalf makes a direction from its traffic secret (RFC 8446, 7.3).
func newHalf(suite uint16, secret []byte) (h half, err error) {
	var sum func() hash.Hash
	keySize := 16
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
		sum = sha256.New
	case tls.TLS_AES_256_GCM_SHA384:
		sum, keySize = sha512.New384, 32
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		sum, keySize = sha256.New, chacha20poly1305.KeySize
	default:
		return h, fmt.Errorf("record: no TLS 1.3 cipher suite: %#04x", suite)
	}
	key, err := expandLabel(sum, secret, "key", keySize)
	if err != nil {
		return h, err
	}
	iv, err := expandLabel(sum, secret, "iv", nonceSize)
	if err != nil {
		return h, err
	}
	copy(h.iv[:], iv)
	h.life = keyLife
	if suite == tls.TLS_CHACHA20_POLY1305_SHA256 {
		h.life = 1 << 62 // no limit that could be reached
		h.aead, err = chacha20poly1305.New(key)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			h.aead, err = cipher.NewGCM(block)
		}
	}
	clear(key)
	return h, err
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
func expandLabel(sum func() hash.Hash, secret []byte, label string, size int) ([]byte, error) {
	info := []byte{byte(size >> 8), byte(size), byte(len("tls13 ") + len(label))}
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0)
	return hkdf.Expand(sum, secret, string(info), size)
}

// next returns the nonce of the next record (RFC 8446, 5.3), which has size bytes; nil when the key is worn.
func (h *half) next(size int) []byte {
	h.used += uint64(size+15) / 16
	if h.used > h.life {
		return nil
	}
	h.nonce = h.iv
	n := h.nonce[nonceSize-8:]
	binary.BigEndian.PutUint64(n, binary.BigEndian.Uint64(n)^h.seq)
	h.seq++
	return h.nonce[:]
}
