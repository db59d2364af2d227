package rule

// Buffer is a part of a packet, a stream or a transaction that items look into.
type Buffer uint8

// Buffers. Those up to UDPHeader belong to packets, the others to transactions.
const (
	Payload Buffer = iota // packet payload and stream
	IPv4Header
	IPv6Header
	TCPHeader
	UDPHeader
	ICMPv4Header
	ICMPv6Header
	HTTPMethod
	HTTPURI
	HTTPURIRaw
	HTTPRequestLine
	HTTPRequestBody
	HTTPHeader
	HTTPHeaderRaw
	HTTPCookie
	HTTPUserAgent
	HTTPHost
	HTTPHostRaw
	HTTPAccept
	HTTPAcceptEnc
	HTTPAcceptLang
	HTTPReferer
	HTTPConnection
	HTTPContentType
	HTTPContentLen
	HTTPStart
	HTTPProtocol
	HTTPHeaderNames
	HTTPStatCode
	HTTPStatMsg
	HTTPResponseLine
	HTTPResponseBody
	HTTPServer
	HTTPLocation
	HTTPRequestHeader
	HTTPResponseHeader
	FileData
	FileName
	DNSQuery
	DNSQueriesRRName
	DNSAnswersRRName
	DNSAuthoritiesRRName
	DNSAdditionalsRRName
	DNSResponseRRName
	DNSOpcode
	DNSRcode
	DNSRRType
	TLSSNI
	TLSCertSubject
	TLSCertIssuer
	TLSCertSerial
	TLSCertFingerprint
	TLSCerts
	TLSALPN
	TLSSubjectAltName
	TLSRandom
	TLSRandomTime
	TLSRandomBytes
	TLSCertChainLen
	TLSVersion
	TLSVersionName // a version by name: SSLVersionBit of it
	SSLVersion
	SSLState
	TLSNotBefore
	TLSNotAfter
	TLSValid
	TLSExpired
	JA3Hash
	JA3String
	JA3SHash
	JA3SString
	JA4Hash
	NumBuffers
)

// buffer is what the language says of a Buffer.
type buffer struct {
	name     string   // the newest keyword
	aliases  []string // sticky names
	modifier string   // the older keyword that moves the content before it
	app      App
	sides    Sides
	multi    bool // there may be several in a transaction, each tried by itself
}

// Sides are the directions of a transaction in which a buffer is found.
type Sides uint8

// Sides.
const (
	Request  Sides = 1
	Response Sides = 2
	Either   Sides = 3
)

var buffers = [NumBuffers]buffer{
	Payload:              {name: "payload", sides: Either},
	IPv4Header:           {name: "ipv4.hdr", sides: Either},
	IPv6Header:           {name: "ipv6.hdr", sides: Either},
	TCPHeader:            {name: "tcp.hdr", sides: Either},
	UDPHeader:            {name: "udp.hdr", sides: Either},
	ICMPv4Header:         {name: "icmpv4.hdr", sides: Either},
	ICMPv6Header:         {name: "icmpv6.hdr", sides: Either},
	HTTPMethod:           {name: "http.method", modifier: "http_method", app: AppHTTP, sides: Request},
	HTTPURI:              {name: "http.uri", modifier: "http_uri", app: AppHTTP, sides: Request},
	HTTPURIRaw:           {name: "http.uri.raw", aliases: []string{"http.raw_uri"}, modifier: "http_raw_uri", app: AppHTTP, sides: Request},
	HTTPRequestLine:      {name: "http.request_line", aliases: []string{"http_request_line"}, app: AppHTTP, sides: Request},
	HTTPRequestBody:      {name: "http.request_body", modifier: "http_client_body", app: AppHTTP, sides: Request},
	HTTPHeader:           {name: "http.header", modifier: "http_header", app: AppHTTP, sides: Either},
	HTTPHeaderRaw:        {name: "http.header.raw", modifier: "http_raw_header", app: AppHTTP, sides: Either},
	HTTPCookie:           {name: "http.cookie", modifier: "http_cookie", app: AppHTTP, sides: Either},
	HTTPUserAgent:        {name: "http.user_agent", modifier: "http_user_agent", app: AppHTTP, sides: Request},
	HTTPHost:             {name: "http.host", modifier: "http_host", app: AppHTTP, sides: Request},
	HTTPHostRaw:          {name: "http.host.raw", modifier: "http_raw_host", app: AppHTTP, sides: Request},
	HTTPAccept:           {name: "http.accept", aliases: []string{"http_accept"}, app: AppHTTP, sides: Request},
	HTTPAcceptEnc:        {name: "http.accept_enc", aliases: []string{"http_accept_enc"}, app: AppHTTP, sides: Request},
	HTTPAcceptLang:       {name: "http.accept_lang", aliases: []string{"http_accept_lang"}, app: AppHTTP, sides: Request},
	HTTPReferer:          {name: "http.referer", aliases: []string{"http_referer"}, app: AppHTTP, sides: Request},
	HTTPConnection:       {name: "http.connection", aliases: []string{"http_connection"}, app: AppHTTP, sides: Either},
	HTTPContentType:      {name: "http.content_type", aliases: []string{"http_content_type"}, app: AppHTTP, sides: Either},
	HTTPContentLen:       {name: "http.content_len", aliases: []string{"http_content_len"}, app: AppHTTP, sides: Either},
	HTTPStart:            {name: "http.start", aliases: []string{"http_start"}, app: AppHTTP, sides: Either},
	HTTPProtocol:         {name: "http.protocol", aliases: []string{"http_protocol"}, app: AppHTTP, sides: Either},
	HTTPHeaderNames:      {name: "http.header_names", aliases: []string{"http_header_names"}, app: AppHTTP, sides: Either},
	HTTPStatCode:         {name: "http.stat_code", modifier: "http_stat_code", app: AppHTTP, sides: Response},
	HTTPStatMsg:          {name: "http.stat_msg", modifier: "http_stat_msg", app: AppHTTP, sides: Response},
	HTTPResponseLine:     {name: "http.response_line", aliases: []string{"http_response_line"}, app: AppHTTP, sides: Response},
	HTTPResponseBody:     {name: "http.response_body", modifier: "http_server_body", app: AppHTTP, sides: Response},
	HTTPServer:           {name: "http.server", app: AppHTTP, sides: Response},
	HTTPLocation:         {name: "http.location", app: AppHTTP, sides: Response},
	HTTPRequestHeader:    {name: "http.request_header", aliases: []string{"http_request_header"}, app: AppHTTP, sides: Request, multi: true},
	HTTPResponseHeader:   {name: "http.response_header", aliases: []string{"http_response_header"}, app: AppHTTP, sides: Response, multi: true},
	FileData:             {name: "file.data", aliases: []string{"file_data"}, app: AppHTTP, sides: Either, multi: true},
	FileName:             {name: "file.name", app: AppHTTP, sides: Either, multi: true},
	DNSQuery:             {name: "dns.query", aliases: []string{"dns_query"}, app: AppDNS, sides: Request, multi: true},
	DNSQueriesRRName:     {name: "dns.queries.rrname", aliases: []string{"dns.query.name"}, app: AppDNS, sides: Either, multi: true},
	DNSAnswersRRName:     {name: "dns.answers.rrname", aliases: []string{"dns.answer.name"}, app: AppDNS, sides: Either, multi: true},
	DNSAuthoritiesRRName: {name: "dns.authorities.rrname", app: AppDNS, sides: Response, multi: true},
	DNSAdditionalsRRName: {name: "dns.additionals.rrname", app: AppDNS, sides: Response, multi: true},
	DNSResponseRRName:    {name: "dns.response.rrname", app: AppDNS, sides: Response, multi: true},
	DNSOpcode:            {name: "dns.opcode", app: AppDNS, sides: Either},
	DNSRcode:             {name: "dns.rcode", app: AppDNS, sides: Either},
	DNSRRType:            {name: "dns.rrtype", app: AppDNS, sides: Either, multi: true},
	TLSSNI:               {name: "tls.sni", aliases: []string{"tls_sni"}, app: AppTLS, sides: Request},
	TLSCertSubject:       {name: "tls.cert_subject", aliases: []string{"tls_cert_subject"}, app: AppTLS, sides: Either},
	TLSCertIssuer:        {name: "tls.cert_issuer", aliases: []string{"tls_cert_issuer"}, app: AppTLS, sides: Either},
	TLSCertSerial:        {name: "tls.cert_serial", aliases: []string{"tls_cert_serial"}, app: AppTLS, sides: Either},
	TLSCertFingerprint:   {name: "tls.cert_fingerprint", aliases: []string{"tls_cert_fingerprint"}, app: AppTLS, sides: Either},
	TLSCerts:             {name: "tls.certs", app: AppTLS, sides: Either, multi: true},
	TLSALPN:              {name: "tls.alpn", app: AppTLS, sides: Either, multi: true},
	TLSSubjectAltName:    {name: "tls.subjectaltname", app: AppTLS, sides: Response, multi: true},
	TLSRandom:            {name: "tls.random", app: AppTLS, sides: Either},
	TLSRandomTime:        {name: "tls.random_time", app: AppTLS, sides: Either},
	TLSRandomBytes:       {name: "tls.random_bytes", app: AppTLS, sides: Either},
	TLSCertChainLen:      {name: "tls.cert_chain_len", app: AppTLS, sides: Response},
	TLSVersion:           {name: "tls.version", app: AppTLS, sides: Either},
	TLSVersionName:       {name: "tls.version", app: AppTLS, sides: Either},
	SSLVersion:           {name: "ssl_version", app: AppTLS, sides: Either},
	SSLState:             {name: "ssl_state", app: AppTLS, sides: Either},
	TLSNotBefore:         {name: "tls_cert_notbefore", app: AppTLS, sides: Response},
	TLSNotAfter:          {name: "tls_cert_notafter", app: AppTLS, sides: Response},
	TLSValid:             {name: "tls_cert_valid", app: AppTLS, sides: Response},
	TLSExpired:           {name: "tls_cert_expired", app: AppTLS, sides: Response},
	JA3Hash:              {name: "ja3.hash", aliases: []string{"ja3_hash"}, app: AppTLS, sides: Request},
	JA3String:            {name: "ja3.string", aliases: []string{"ja3_string"}, app: AppTLS, sides: Request},
	JA3SHash:             {name: "ja3s.hash", app: AppTLS, sides: Response},
	JA3SString:           {name: "ja3s.string", app: AppTLS, sides: Response},
	JA4Hash:              {name: "ja4.hash", app: AppTLS, sides: Request},
}

// String returns the keyword that selects b.
func (b Buffer) String() string { return buffers[b].name }

// App returns the application protocol whose transactions have b.
func (b Buffer) App() App { return buffers[b].app }

// Sides returns where in a transaction b is found.
func (b Buffer) Sides() Sides { return buffers[b].sides }

// Multi reports whether a transaction may have several of b, each tried by itself.
func (b Buffer) Multi() bool { return buffers[b].multi }

// OfPacket reports whether b is found in packets, not in transactions.
func (b Buffer) OfPacket() bool { return b <= ICMPv6Header }

// sticky and modifiers map keywords to buffers.
var sticky, modifiers = func() (s, m map[string]Buffer) {
	s, m = map[string]Buffer{}, map[string]Buffer{}
	for b := range buffers {
		switch Buffer(b) {
		case Payload, DNSOpcode, DNSRcode, DNSRRType, TLSCertChainLen, TLSVersion, TLSVersionName, SSLVersion, SSLState, TLSNotBefore, TLSNotAfter, TLSValid, TLSExpired:
			continue // these take a value
		}
		s[buffers[b].name] = Buffer(b)
		for _, a := range buffers[b].aliases {
			s[a] = Buffer(b)
		}
		if buffers[b].modifier != "" {
			m[buffers[b].modifier] = Buffer(b)
		}
	}
	return s, m
}()
