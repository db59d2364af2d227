package rule

import (
	"fmt"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// header reads "action proto src sport -> dst dport" and returns where the bracket with the options opens.
func (p *parser) header() (open int, ok bool) {
	text := p.src.text
	p.peekSID(max(strings.IndexByte(text, '('), 0)) // for problems of the header itself
	at := 0
	word := func() (string, int) {
		for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
			at++
		}
		start, depth := at, 0
		for at < len(text) {
			c := text[at]
			if c == '[' {
				depth++
			}
			if c == ']' {
				depth--
			}
			if depth <= 0 && (c == ' ' || c == '\t' || c == '(') {
				break
			}
			at++
		}
		return text[start:at], start
	}
	r := p.rule
	action, pos := word()
	a, known := actionNames[strings.ToLower(action)]
	if !known {
		p.strange = true
		err := unknownWord(strings.ToLower(action), actionNames, "%q is no action; %s is", action, actionWords)
		if u, ok := err.(unknown); ok && nf.Nearest(u.word, u.known()) == "" {
			err = fmt.Errorf("the line begins with no action; %s is one", actionWords) // what it holds may be no rule, and nobody's business
		}
		return 0, p.fail(pos, "action", err)
	}
	r.Action = a
	proto, pos := word()
	if r.Proto, known = protoNames[strings.ToLower(proto)]; !known {
		return 0, p.fail(pos, "protocol "+proto, unknownWord(strings.ToLower(proto), protoNames, "protocol %q is not supported; ip, ipv4, ipv6, tcp, tcp-pkt, tcp-stream, udp, icmp, icmpv6, http, dns, tls, ftp, smtp, smb and ssh are", proto))
	}
	r.App = map[Proto]App{HTTP: AppHTTP, DNS: AppDNS, TLS: AppTLS, FTP: AppFTP, SMTP: AppSMTP, SMB: AppSMB, SSH: AppSSH}[r.Proto]
	var err error
	if w, pos := word(); p.addr(w, &r.Src, &err) {
		return 0, p.fail(pos, "source address", err)
	}
	if w, pos := word(); p.port(w, &r.SrcPort, &err) {
		return 0, p.fail(pos, "source port", err)
	}
	switch w, pos := word(); w {
	case "->":
	case "=>":
		r.Transactional = true
	case "<>":
		r.Both = true
	default:
		return 0, p.fail(pos, "direction", fmt.Errorf("%q is no direction; -> and <> are", w))
	}
	if w, pos := word(); p.addr(w, &r.Dst, &err) {
		return 0, p.fail(pos, "destination address", err)
	}
	if w, pos := word(); p.port(w, &r.DstPort, &err) {
		return 0, p.fail(pos, "destination port", err)
	}
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	if at == len(text) || text[at] != '(' {
		return 0, p.fail(at, "options", fmt.Errorf("the options in brackets are missing"))
	}
	return at, true
}

// addr and port report failure. Equal sets are one in memory: rule files say $HOME_NET ten thousand times.
func (p *parser) addr(text string, to **Addresses, err *error) bool {
	if a, ok := p.file.addrs[text]; ok {
		*to = a
		return false
	}
	a, e := p.file.vars.addresses(text, 0)
	if e == nil && a.empty() {
		e = fmt.Errorf("%q matches no address", text)
	}
	if *err = e; e != nil {
		return true
	}
	*to = &a
	p.file.addrs[text] = &a
	return false
}

func (p *parser) port(text string, to **Ports, err *error) bool {
	if s, ok := p.file.ports[text]; ok {
		*to = s
		return false
	}
	s, e := p.file.vars.portSet(text)
	if *err = e; e != nil {
		return true
	}
	*to = &s
	p.file.ports[text] = &s
	return false
}
