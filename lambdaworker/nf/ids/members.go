package ids

import (
	"strconv"

	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/dns"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/http"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/tls"
)

// members are what the parser of the flow knows of transaction tx, as the raw JSON that Suricata adds to an alert; nothing if
// the alert is not about one. It is built in memory that is used again.
func (n *IDS) members(handle uint32, tx int64) []byte {
	m := n.scratchMembers[:0]
	if tx >= 0 {
		switch n.v.App {
		case rule.AppHTTP:
			m = n.httpMembers(m, handle, tx)
		case rule.AppTLS:
			m = n.tlsMembers(m, handle)
		case rule.AppDNS:
			m = n.dnsMembers(m)
		}
	}
	n.scratchMembers = m
	return m
}

// textMember appends "name": value unless there is none.
func textMember(m []byte, name string, value []byte, ok bool) []byte {
	if !ok || len(value) == 0 {
		return m
	}
	m = separate(m)
	m = append(append(append(m, '"'), name...), `":`...)
	return eve.AppendString(m, value)
}

func numberMember(m []byte, name string, value int64) []byte {
	m = separate(m)
	m = append(append(append(m, '"'), name...), `":`...)
	return strconv.AppendInt(m, value, 10)
}

// separate appends a comma where a member stands before.
func separate(m []byte) []byte {
	if len(m) > 0 && m[len(m)-1] != '{' && m[len(m)-1] != '[' {
		return append(m, ',')
	}
	return m
}

func (n *IDS) httpMembers(m []byte, handle uint32, id int64) []byte {
	slot := n.http.First(handle)
	for slot != none && int64(n.http.Tx(slot).ID) != id {
		slot = n.http.Next(slot)
	}
	if slot == none {
		return m
	}
	tx := n.http.Tx(slot)
	m = append(m, `"http":{`...)
	for _, f := range [...]struct {
		name   string
		dir    proto.Dir
		buffer http.Buffer
	}{
		{"hostname", toServer, http.Host}, {"url", toServer, http.URIRaw}, {"http_user_agent", toServer, http.UserAgent},
		{"http_content_type", toClient, http.ContentType}, {"http_refer", toServer, http.Referer}, {"http_method", toServer, http.Method},
		{"protocol", toServer, http.Protocol},
	} {
		if tx.Progress(f.dir) < f.buffer.Ready() {
			continue
		}
		v, ok := n.http.Buffer(tx, f.dir, f.buffer)
		m = textMember(m, f.name, v, ok)
	}
	if tx.Status != 0 {
		m = numberMember(m, "status", int64(tx.Status))
	}
	if b := n.http.Body(tx, toClient); tx.Progress(toClient) >= http.BodyProgress {
		m = numberMember(m, "length", int64(b.Offset)+int64(len(b.Data)))
	}
	return append(m, '}')
}

func (n *IDS) tlsMembers(m []byte, handle uint32) []byte {
	s := n.tls.State(handle)
	if s == nil {
		return m
	}
	m = append(m, `"tls":{`...)
	for _, f := range [...]struct {
		name   string
		dir    proto.Dir
		buffer tls.Buffer
	}{
		{"subject", toClient, tls.Subject}, {"issuerdn", toClient, tls.Issuer}, {"serial", toClient, tls.Serial}, {"fingerprint", toClient, tls.Fingerprint},
		{"sni", toServer, tls.SNI},
	} {
		v, ok := n.tls.Buffer(handle, f.dir, f.buffer, 0)
		m = textMember(m, f.name, v, ok)
	}
	version := s.ServerVersion
	if version == 0 {
		version = s.ClientVersion
	}
	if version >= 0x0301 && version <= 0x0304 {
		m = append(append(separate(m), `"version":"TLS 1.`...), byte('0'+version-0x0301), '"')
	}
	return append(m, '}')
}

func (n *IDS) dnsMembers(m []byte) []byte {
	d := &n.message
	kind := "request"
	if d.Response {
		kind = "response"
	}
	m = append(append(append(m, `"dns":{"version":3,"type":"`...), kind...), '"')
	m = numberMember(m, "id", int64(d.ID))
	m = numberMember(m, "opcode", int64(d.Opcode))
	if d.Response {
		m = numberMember(m, "rcode_id", int64(d.Rcode))
	}
	m = append(m, `,"queries":[`...)
	queries := d.Records(dns.Queries)
	for i := range queries[:min(len(queries), 8)] {
		m = append(separate(m), '{')
		m = textMember(m, "rrname", d.Name(&queries[i]), true)
		m = append(numberMember(m, "rrtype_id", int64(queries[i].Type)), '}')
	}
	return append(m, `]}`...)
}
