package ids

import "github.com/granule-nf/granule/ingress/packet"

// checksums decides whether a segment with a wrong checksum may enter its stream.
type checksums struct {
	mode   string // "auto" or empty, "on", "off"
	seen   int
	wrong  int
	passes bool // auto: verification was given up
}

// sample is how many packets mode auto looks at before it decides whether checksums mean anything here: captures taken on a
// sending host have none, since the card fills them in.
const sample = 1000

// bad reports whether the packet's transport checksum is wrong and matters.
func (c *checksums) bad(in *packet.Info, data []byte) bool {
	if c.mode == "off" || c.passes {
		return false
	}
	wrong := in.CheckL4(data) == packet.Wrong
	if c.mode == "on" {
		return wrong
	}
	if c.seen < sample {
		c.seen++
		if wrong {
			c.wrong++
		}
		if c.seen == sample && c.wrong*10 >= sample {
			c.passes = true
			return false
		}
	}
	return wrong
}
