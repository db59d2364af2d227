package nf

// Verdict is what becomes of a packet: Pass, or the reason why it is dropped. It crosses the wire as one byte.
type Verdict uint8

// Verdicts. The names of drops are part of the surface: metrics, the ledger and EVE drop events carry them.
const (
	Pass               Verdict = iota
	DropRule                   // firewall: a rule said drop
	DropPolicy                 // firewall: no rule decided and the chain's policy is drop
	DropReject                 // firewall: a rule said reject; the sender was told
	DropInvalid                // firewall: a rule on ct state invalid said drop
	DropIDS                    // IDS: a drop rule matched this packet
	DropIDSReject              // IDS: a reject rule matched this packet; the ends were told
	DropIDSFlow                // IDS: a drop rule matched earlier in this flow
	DropStream                 // IDS: the stream could not be followed safely (memory, overlap) and policy says drop
	DropRate                   // ratelimit: the bucket was empty
	DropNAT                    // nat: no port was left to lease
	DropNoBackend              // loadbalance: no backend is up
	DropMalformed              // the headers contradict each other and policy says drop
	DropPanic                  // a function failed on this packet's batch and policy says drop
	DropIDSBudget              // IDS: rules took too long on this packet and policy says drop
	DropUnsolicited            // nat: nobody inside has asked for it
	DropUntranslatable         // nat, loadbalance: a protocol or a header that can't be rewritten
	DropFragment               // nat, loadbalance: a fragment whose ports nobody knows
	DropHairpin                // loadbalance: a client on the backends' side
	Answered                   // loadbalance: a ping of the service's address, which was answered
	DropNATTable               // nat: the table of sessions is full of such as were answered
	DropHostLimit              // nat: the host has all the ports that one host may have
	NumVerdicts
)

var verdictNames = [NumVerdicts]string{
	"pass", "firewall_rule", "firewall_policy", "firewall_reject", "firewall_invalid", "ids_rule", "ids_reject", "ids_flow",
	"ids_stream", "rate_limit", "nat_exhausted", "no_backend", "malformed", "nf_panic", "ids_budget",
	"nat_unsolicited", "untranslatable", "unknown_fragment", "lb_hairpin", "answered", "nat_table_full", "nat_host_limit",
}

// String returns the verdict's name as metrics and events carry it.
func (v Verdict) String() string {
	if v < NumVerdicts {
		return verdictNames[v]
	}
	return "unknown"
}
