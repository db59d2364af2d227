// Package dns reads DNS messages (RFC 1035) out of UDP datagrams and TCP streams.
//
// As in Suricata's newest branch every message is a transaction of its own, in its own direction: a query and its response are two.
package dns
