package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Base64Mode is what a byte outside of the alphabet does.
type Base64Mode uint8

// Modes.
const (
	RFC4648      Base64Mode = iota // it ends the data
	RFC2045                        // it is passed over
	StrictBase64                   // it makes the data none
)

var base64Modes = map[string]Base64Mode{"rfc4648": RFC4648, "rfc2045": RFC2045, "strict": StrictBase64}

// Base64 says what part of a buffer is decoded.
type Base64 struct {
	Bytes  int // at most; 0 for all
	Offset int // bytes before it
	Mode   Base64Mode
}

// Decode is base64_decode, and what base64_data asks of the decoded bytes.
type Decode struct {
	Base64
	Section Section
}

// maxBase64 bounds what base64_decode reads.
const maxBase64 = 1 << 16

// base64Options reads  bytes 8, offset 2, relative, mode rfc2045 ; which of the last two are possible is the keyword's matter.
func base64Options(arg string, relative *bool, mode bool) (b Base64, err error) {
	if strings.TrimSpace(arg) == "" {
		return b, nil
	}
	for _, w := range commas(arg) {
		name, val, _ := strings.Cut(w, " ")
		val = strings.TrimSpace(val)
		ok := true
		switch {
		case name == "bytes":
			b.Bytes, err = strconv.Atoi(val)
			ok = b.Bytes > 0 && b.Bytes <= maxBase64
		case name == "offset":
			b.Offset, err = strconv.Atoi(val)
			ok = b.Offset >= 0 && b.Offset <= maxBase64
		case name == "mode" && mode:
			b.Mode, ok = base64Modes[val]
		case w == "relative" && relative != nil:
			*relative = true
		default:
			ok = false
		}
		if err != nil || !ok {
			return b, fmt.Errorf("%q is not possible; bytes 1 to %d and offset 0 to %d are, and relative of base64_decode, mode rfc4648, rfc2045 or strict of from_base64", w, maxBase64, maxBase64)
		}
	}
	return b, nil
}

// base64Decode adds the item that decodes; base64Data makes what it decodes the buffer of the items behind it.
func (p *parser) base64Decode(arg string, at int) (err error) {
	if p.section != nil && p.section == p.decoded {
		return errors.New("what base64_data holds is decoded once")
	}
	it := &Item{Kind: Base64Decode, Decode: &Decode{Section: Section{Buffer: p.list}}}
	if it.Decode.Base64, err = base64Options(arg, &it.Relative, false); err != nil {
		return err
	}
	p.addBehind(it, at)
	p.decoded = &it.Decode.Section
	return nil
}

func (p *parser) base64Data(string, int) error {
	if p.decoded == nil {
		return errors.New("there is no base64_decode before it")
	}
	p.section, p.isSticky, p.transforms, p.last, p.lastIn = p.decoded, true, nil, nil, nil
	return nil
}
