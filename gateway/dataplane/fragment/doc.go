// Package fragment lets every fragment of a datagram be judged by the ports that only the first one carries, as behind the defragmentation of
// a host, without putting datagrams together: fragments stay packets of their own, in place.
//
// # Protocol
//
// A datagram is named by addresses, identification, protocol (IPv4) and tags (packet.DatagramKey). It has an entry from the first fragment seen until
// all of it was seen, or until its time is over: 30 s after that first one in IPv4, 60 s in IPv6 (RFC 1122 section 3.3.2, RFC 8200 section 4.5).
// An entry is in one of three states:
//
//	waiting   its first fragment, which says the ports, has not come. Fragments are held: by whoever asked, in a list whose ends the
//	          entry keeps. At most MaxHeld of a datagram, and Config.Held in all.
//	known     the first fragment has come. What was held goes on behind it, in order of arrival; every other fragment goes on at once.
//	spoiled   two fragments overlapped without being the same, or contradicted each other about the end: what the receiver would make of
//	          them is nobody's to know (RFC 5722); or the first one lacks what it should say (RFC 7112). Everything of the datagram is dropped, until its time is over.
//
//	            first                      every byte seen
//	  waiting ---------> known ------------------------------> (no entry)
//	     |                 |
//	     +----- overlap ---+--> spoiled ---- time over ------> (no entry)
//	     +------------------------------ time over ----------> (no entry; what is held is dropped)
//
// A fragment all of whose bytes have been seen is dropped, and changes nothing: the receiver has it, and it may say otherwise. Which
// bytes have been seen is one bit for each eight, since fragments begin at multiples of eight.
//
// An entry without a successor for its bytes would let a sender fill the table: where the bucket of a new datagram is full, the entry goes that is spoiled,
// else the one that waits, else the one that is known, the oldest of each. Memory is fixed: some 1.1 KiB for each of Config.Datagrams.
//
// An atomic fragment (RFC 6946: at offset 0, none to follow) is a datagram by itself and has no entry.
package fragment
