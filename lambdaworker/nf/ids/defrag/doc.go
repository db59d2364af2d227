// Package defrag puts fragments of IPv4 and IPv6 datagrams together for inspection.
//
// The packets themselves go their way as fragments; the whole datagram is a copy that detection sees once the last of its
// fragments is there. Overlaps follow the policy of BSD and Windows-like targets that Suricata has by default: the bytes of the fragment that
// starts first stay, except where a new fragment starts before an old one. Datagrams time out by packet time.
package defrag
