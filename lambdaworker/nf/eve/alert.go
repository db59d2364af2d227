package eve

import "github.com/granule-nf/granule/lambdaworker/nf"

// Signature is what alerts of one rule have in common.
type Signature struct {
	GID      uint32
	ID       uint32
	Rev      uint32
	Message  string // msg
	Category string // of the rule's classtype; may be empty
	Severity uint8  // priority, 1 is the highest; 3 where the rule names none
	Metadata []byte // a raw JSON object, such as `{"tag":["a"]}`; may be empty
}

// AppendAlert appends an event of type alert. blocked says that the packet goes no further.
func AppendAlert(dst []byte, p *nf.Packet, s *Signature, blocked bool, c *Context) []byte {
	dst = Begin(dst, p, "alert")
	dst = s.append(dst, blocked)
	return End(c.append(dst))
}

func (s *Signature) append(dst []byte, blocked bool) []byte {
	if blocked {
		dst = append(dst, `,"alert":{"action":"blocked","gid":`...)
	} else {
		dst = append(dst, `,"alert":{"action":"allowed","gid":`...)
	}
	dst = appendUint(dst, "", uint64(s.GID))
	dst = appendUint(dst, `,"signature_id":`, uint64(s.ID))
	dst = appendUint(dst, `,"rev":`, uint64(s.Rev))
	dst = append(dst, `,"signature":`...)
	dst = AppendString(dst, s.Message)
	dst = append(dst, `,"category":`...)
	dst = AppendString(dst, s.Category)
	dst = appendUint(dst, `,"severity":`, uint64(s.Severity))
	if len(s.Metadata) > 0 {
		dst = append(dst, `,"metadata":`...)
		dst = append(dst, s.Metadata...)
	}
	return append(dst, '}')
}
