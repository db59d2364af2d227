package proto

// Dir is a direction of a flow by roles, whichever port of the gateway they are on.
type Dir uint8

// The two directions.
const (
	ToServer Dir = iota
	ToClient
)

// Opposite returns the other direction.
func (d Dir) Opposite() Dir { return d ^ 1 }

// String returns "to_server" or "to_client".
func (d Dir) String() string {
	if d == ToServer {
		return "to_server"
	}
	return "to_client"
}

// Protocol is an application protocol.
type Protocol uint8

// Protocols. Unknown is not decided yet; Failed is decided: none of those that are looked into.
const (
	Unknown Protocol = iota
	Failed
	HTTP
	DNS
	TLS
	// Those below are told apart, but not looked into.
	FTP
	SMTP
	SMB
	SSH
	NumProtocols
)

var protocolNames = [NumProtocols]string{"unknown", "failed", "http", "dns", "tls", "ftp", "smtp", "smb", "ssh"}

// String returns the name as rules and EVE's app_proto have it.
func (p Protocol) String() string {
	if p < NumProtocols {
		return protocolNames[p]
	}
	return "unknown"
}
