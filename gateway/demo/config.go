package demo

// What the demo's gateway runs. It is what a first configuration of one's own could look like.

const (
	tcpPort    = 5001
	udpPort    = 5002
	closedPort = 5003 // no rule accepts it
)

var files = map[string]string{
	"granule.yaml": `chains:
  - name: edge
    stages:
      - - counter: {}
        - firewall: {rules: edge.nft}
`,
	"edge.nft": `table inet edge {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state invalid counter drop
    ct state established,related counter accept
    tcp dport 5001 tcp flags & (fin|syn|rst|ack) == syn ct state new counter accept
    udp dport 5002 ct state new counter accept
    counter
  }
}
`,
}

// flags: one worker is active, and a second has joined and stands by, so that the kill costs no start. All else is as by default.
var flags = []string{"--workers", "1", "--standby", "1"}
