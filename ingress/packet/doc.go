// Package packet reads frames in place: where each header starts, what flow a packet belongs to, and checksums.
//
// Parsing never allocates, never fails loudly and never reads outside the captured bytes. A frame may be carried only
// in part (headers of a long packet, or a capture with a snap length): the bytes there are and the length on the wire
// are two things everywhere in this package.
package packet
