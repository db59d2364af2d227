// Package capture is the port on a capture file: pcap or pcapng, read with gopacket's pcapgo.
//
// A Port may have a file to read, one to write, or both. Frames come as fast as they are taken; what is written are the
// frames' bytes, wire lengths and times, untouched. Captures of bare IP packets (link types RAW, IPV4, IPV6) are read with a
// made-up Ethernet header in front (addresses zero), which is taken off again when they are written, so that what comes out
// is what went in.
package capture
