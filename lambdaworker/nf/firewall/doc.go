// Package firewall judges packets by an nftables rule set.
//
// A rule file is text that `nft -f` loads as it stands. It is read in four steps, each a few files:
//
//	lex_, parse_     text to tokens to a ruleset, every problem with its place
//	import_          the same ruleset from iptables-save lines and AWS stateless rule groups
//	resolve          jumps followed, loops refused
//	program, class_  the ruleset compiled: one row of rules per value of each field
//
// A packet then takes these: view (what nft would see of it), conntrack, cache (the verdict its flow had before),
// evaluate (rows ANDed, the rules left run in order), and for some answer (reject) and event (log).
package firewall
