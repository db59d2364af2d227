package rule

import (
	"bytes"
	"errors"
	"fmt"
)

// finish checks what can only be seen once all options are read.
func (p *parser) finish(open int) bool {
	r := p.rule
	r.Vars = len(p.vars)
	if r.SID == 0 {
		return p.fail(open, "sid", errors.New("every rule needs a sid above 0"))
	}
	if p.isSticky && p.section == nil {
		return p.fail(open, p.list.String(), fmt.Errorf("%s is followed by nothing that looks into it", p.list))
	}
	kept := r.Sections[:0]
	for _, s := range r.Sections {
		if len(s.Items) > 0 {
			kept = append(kept, s)
		}
	}
	r.Sections = kept
	sides := Either
	for _, s := range r.Sections {
		s.foldCase()
		if !s.Buffer.OfPacket() {
			sides &= s.Buffer.Sides()
		}
		if problem := s.check(); problem != nil {
			return p.fail(open, s.Buffer.String(), problem)
		}
	}
	if sides == 0 && !r.Transactional {
		return p.fail(open, "direction", errors.New("the rule mixes buffers of requests and of responses; => instead of -> does that"))
	}
	if sides == Request && r.Flow.ToClient || sides == Response && r.Flow.ToServer || sides == 0 && (r.Flow.ToClient || r.Flow.ToServer) {
		return p.fail(open, "flow", errors.New("the rule looks into a buffer that the direction named by flow doesn't have"))
	}
	if !p.protocolFits() {
		return p.fail(open, "protocol", errors.New("keywords of the rule belong to another protocol than the one in its header"))
	}
	if r.Flow.OnlyStream && r.Flow.NoStream {
		return p.fail(open, "flow", errors.New("only_stream and no_stream contradict each other"))
	}
	if !p.hasPri {
		if c, ok := p.file.classes[r.Class]; ok {
			r.Priority = c.Priority
		}
	}
	r.Category = r.Class
	if c, ok := p.file.classes[r.Class]; ok {
		r.Category = c.Description
	}
	return true
}

// protocolFits: TCP keywords in rules for TCP, application buffers in rules whose transport carries them.
func (p *parser) protocolFits() bool {
	r := p.rule
	switch r.App {
	case AppHTTP, AppTLS, AppFTP, AppSMTP, AppSMB, AppSSH:
		if r.Proto == UDP || r.Proto == ICMP || r.Proto == ICMPv6 {
			return false
		}
	case AppDNS:
		if r.Proto == ICMP || r.Proto == ICMPv6 {
			return false
		}
	}
	return r.App == AnyApp || r.Proto != TCPPacket
}

// check finds contents that can't match.
func (s *Section) check() error {
	for _, it := range s.Items {
		if it.Kind == Base64Decode {
			if err := it.Decode.Section.check(); err != nil {
				return err
			}
		}
		if it.Kind != Content {
			continue
		}
		c := &it.Content
		n := int64(len(c.Pattern))
		if c.HasDepth && c.Depth.Var == 0 && c.Depth.N < n {
			return fmt.Errorf("depth %d is less than the %d bytes of the content", c.Depth.N, n)
		}
		if c.HasWithin && c.Within.Var == 0 && c.Within.N < n {
			return fmt.Errorf("within %d is less than the %d bytes of the content", c.Within.N, n)
		}
		if s.Buffer == HTTPHost && !c.NoCase && !it.Negated && len(s.Transforms) == 0 && !bytes.Equal(c.Pattern, bytes.ToLower(c.Pattern)) {
			return errors.New("the content has upper case, but the buffer is in lower case: it can't match; http.host.raw is as sent")
		}
		if c.StartsWith && (c.HasOffset || c.HasDepth) {
			return errors.New("startswith stands for offset and depth and can't be joined with them")
		}
		if (c.HasOffset || c.HasDepth) && c.Relative() {
			return errors.New("offset and depth count from the beginning, distance and within from the match before: one content can't have both")
		}
		if c.Fast && it.Negated && (c.Relative() || c.HasOffset || c.HasDepth) {
			return errors.New("fast_pattern can't be a negated content with offset, depth, distance or within")
		}
	}
	return nil
}

// foldCase gives contents the case of the buffer, as Suricata does where a buffer has only one.
func (s *Section) foldCase() {
	f := bytes.ToLower
	switch s.Buffer {
	case TLSCertSerial:
		f = bytes.ToUpper
	case TLSCertFingerprint, JA3Hash, JA3SHash:
	default:
		return
	}
	for _, it := range s.Items {
		if it.Kind == Content {
			it.Content.Pattern = f(it.Content.Pattern)
		}
	}
}
