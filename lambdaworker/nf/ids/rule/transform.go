package rule

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// TransformKind is what is done to a buffer before it is looked into.
type TransformKind uint8

// Transforms.
const (
	ToLower TransformKind = iota
	ToUpper
	StripWhitespace
	CompressWhitespace
	ToMD5
	ToSHA1
	ToSHA256
	DotPrefix
	URLDecode
	HeaderLowercase
	StripPseudoHeaders
	XOR
	FromBase64
	Domain
	TLD
)

// Transform is one transform keyword.
type Transform struct {
	Kind   TransformKind
	Key    []byte // XOR
	Base64 Base64 // FromBase64
}

var transforms = map[string]TransformKind{
	"to_lowercase": ToLower, "to_uppercase": ToUpper, "strip_whitespace": StripWhitespace, "compress_whitespace": CompressWhitespace,
	"to_md5": ToMD5, "to_sha1": ToSHA1, "to_sha256": ToSHA256, "dotprefix": DotPrefix, "url_decode": URLDecode,
	"header_lowercase": HeaderLowercase, "strip_pseudo_headers": StripPseudoHeaders, "xor": XOR, "from_base64": FromBase64,
	"domain": Domain, "tld": TLD,
}

func transform(kind TransformKind, arg string) (Transform, error) {
	t := Transform{Kind: kind}
	switch kind {
	case XOR:
		key, err := hex.DecodeString(strings.Trim(strings.TrimSpace(arg), `"`))
		if err != nil || len(key) == 0 || len(key) > 255 {
			return t, fmt.Errorf("%q is no key of 1 to 255 bytes in hexadecimal", arg)
		}
		t.Key = key
	case FromBase64:
		var err error
		if t.Base64, err = base64Options(arg, nil, true); err != nil {
			return t, err
		}
	default:
		if strings.TrimSpace(arg) != "" {
			return t, fmt.Errorf("it takes no value, found %q", arg)
		}
	}
	return t, nil
}
