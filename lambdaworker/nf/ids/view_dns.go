package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/dns"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// dnsView is a DNS message.
type dnsView struct{ m *dns.Message }

// Ready implements detect.Tx: messages come whole.
func (v *dnsView) Ready(rule.Buffer) bool { return true }

// More implements detect.Tx.
func (v *dnsView) More(rule.Buffer) bool { return false }

// Seen implements detect.Tx.
func (v *dnsView) Seen(rule.Buffer) int { return 0 }

// Complete implements detect.Tx.
func (v *dnsView) Complete() bool { return true }

// Bytes implements detect.Tx.
func (v *dnsView) Bytes(b rule.Buffer, i int) ([]byte, bool) {
	switch b {
	case rule.DNSQuery, rule.DNSQueriesRRName:
		return v.name(dns.Queries, i)
	case rule.DNSAnswersRRName:
		return v.name(dns.Answers, i)
	case rule.DNSAuthoritiesRRName:
		return v.name(dns.Authorities, i)
	case rule.DNSAdditionalsRRName:
		return v.name(dns.Additionals, i)
	case rule.DNSResponseRRName:
		return v.m.ResponseName(i)
	}
	return nil, false
}

func (v *dnsView) name(s dns.Section, i int) ([]byte, bool) {
	rs := v.m.Records(s)
	if i >= len(rs) {
		return nil, false
	}
	name := v.m.Name(&rs[i])
	return name, len(name) > 0 // the root's ends the list, as it does for Suricata
}

// Number implements detect.Tx.
func (v *dnsView) Number(b rule.Buffer, i int) (uint64, bool) {
	switch b {
	case rule.DNSOpcode:
		return uint64(v.m.Opcode), i == 0
	case rule.DNSRcode:
		return uint64(v.m.Flags & 15), i == 0
	case rule.DNSRRType:
		s := dns.Queries
		if v.m.Response {
			s = dns.Answers
		}
		if rs := v.m.Records(s); i < len(rs) {
			return uint64(rs[i].Type), true
		}
	}
	return 0, false
}
