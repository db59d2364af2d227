package tlsrecord

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// Identity is the gateway's key, made anew by each process. Workers are told its Key and trust nothing else.
type Identity struct {
	certificate tls.Certificate
	key         [sha256.Size]byte
}

// NewIdentity makes a P-256 key and a certificate of its own for it. The certificate is only what TLS wants a key to be
// wrapped in: its dates are so wide that no clock of a worker can be outside them.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the gateway's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "granule gateway"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, 4.1.2.5: no well-defined end
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making the gateway's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making the gateway's certificate: %w", err)
	}
	return &Identity{
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert},
		key:         sha256.Sum256(cert.RawSubjectPublicKeyInfo),
	}, nil
}

// Key returns the SHA-256 of the public key (SubjectPublicKeyInfo, DER).
func (i *Identity) Key() []byte { return append([]byte(nil), i.key[:]...) }
