// Package firewall judges packets by an nftables rule set.
//
// A rule file is text that `nft -f` loads as it stands:
//
//	nft             its text to tokens to a ruleset, every problem with its place; jumps followed
//	iptables, aws   the same ruleset from iptables-save lines and AWS stateless rule groups
//	ruleset         what files say, as data
//	program         the ruleset compiled: one row of rules for each value of a field
//	conntrack       the state of each packet's connection
//
// A packet takes these steps: known (most packets of established connections: cache and conntrack in one straight line), else
// conntrack, cache (the verdict its flow had before), program (rows ANDed, the rules left run in order), and for some
// answer (reject) and event (log).
package firewall
