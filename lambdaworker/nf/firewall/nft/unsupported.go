package nft

import (
	"maps"
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Subset is where a person reads what is understood.
const Subset = "see THE SUBSET in lambdaworker/nf/firewall/README.md"

// unsupportedWords start statements and matches that nft knows and this subset leaves out.
var unsupportedWords = strings.Fields(`
	queue notrack dup fwd masquerade snat dnat redirect tproxy set add update delete synproxy quota fib socket rt osf numgen jhash symhash
	xfrm ipsec arp ether esp ah comp igmp hbh dst mh srh rt0 iiftype oiftype iifgroup oifgroup mark skuid skgid cpu cgroup time day hour
	length protocol flow meter connlimit secmark tunnel gre gretap geneve vxlan iifkind oifkind ibriport obriport ibrname obrname sdif sdifname random
	rtclassid ip6option last objref`)

// unsupportedFields are the words that nft knows behind the name of a header and this subset leaves out.
var unsupportedFields = map[string][]string{
	"ip":      strings.Fields("option checksum"),
	"tcp":     strings.Fields("option reserved"),
	"udp":     strings.Fields("checksum"),
	"udplite": strings.Fields("checksum csumcov"),
	"sctp":    strings.Fields("vtag checksum chunk"),
	"dccp":    strings.Fields("type option"),
	"icmp":    strings.Fields("checksum gateway mtu"),
	"icmpv6":  strings.Fields("checksum parameter-problem mtu max-delay taddr daddr"),
	"meta": strings.Fields(`mark skuid skgid priority random cpu cgroup rtclassid iiftype oiftype iifgroup oifgroup iifkind oifkind secpath
		ipsec nftrace time day hour ibriport obriport ibrname obrname ibrpvid ibrvproto sdif sdifname bri_iifname bri_oifname secmark`),
	"ct": strings.Fields(`direction status mark expiration helper label l3proto proto-src proto-dst protocol original reply zone id count bytes packets
		avgpkt timeout expectation event secmark saddr daddr`),
	"vlan":   strings.Fields("type pcp dei cfi"),
	"exthdr": strings.Fields("hbh rt dst mh srh ah"),
	"frag":   strings.Fields("reserved reserved2"),
	"ether":  strings.Fields("saddr daddr"),
}

// unsupportedStatement leaves the rule if t starts what nft knows and this subset lacks.
func (p *Parser) unsupportedStatement(t Token) {
	switch {
	case t.is("@"):
		p.Unsupported(t.Pos, "raw payload (@base,offset,length) is nftables, but not of the subset that runs here; "+Subset)
	case t.Kind != TokenWord:
		return
	case t.Text == "masquerade" || t.Text == "snat":
		p.Diagnose(ruleset.Diagnostic{Pos: t.Pos, Reached: ruleset.Refuse, SourceNAT: true,
			Message: quoted(t.Text) + " translates sources, which the firewall does not; put `nat` behind it and leave this rule out"})
		panic(bail{})
	case t.Text == "dnat" || t.Text == "redirect" || t.Text == "tproxy":
		p.Unsupported(t.Pos, "%q changes destinations, which neither firewall nor nat does here; leave this rule out, and write the rules behind it for the destinations on the wire", t.Text)
	case slices.Contains(unsupportedWords, t.Text):
		p.Unsupported(t.Pos, "%q is nftables, but not of the subset that runs here; "+Subset, t.Text)
	}
}

// unsupportedField does the same for word n behind the name of a header.
func (p *Parser) unsupportedField(header, n Token, known string) {
	if slices.Contains(unsupportedFields[header.Text], n.Text) && n.Kind == TokenWord {
		p.Unsupported(n.Pos, "\"%s %s\" is nftables, but not of the subset that runs here; expected %s; "+Subset, header.Text, n.Text, known)
	}
}

// wordList writes the keys of m for a person.
func wordList[V any](m map[string]V) string { return OrList(slices.Sorted(maps.Keys(m))) }

// OrList joins words by commas, the last by "or".
func OrList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
