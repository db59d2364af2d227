// Package match finds which of many byte patterns occur in a buffer: the prefilter of the IDS.
//
// The data is looked at through windows of four bytes, their case folded, at every fourth byte. Each pattern is known by four windows,
// one for each place that it may have among those of the data; the rarest one is chosen for each. A bit map
// that fits into the nearest caches says whether a window may be some pattern's; only then a table is asked and the
// pattern compared.
//
// Of patterns of five and six bytes a window may have three bytes only; the fourth may be anything, and
// takes 128 bits of the map. Where there are so many of them that the map would fill up, or patterns of three
// or four bytes, there is a window at every second byte. Patterns of two bytes and of one have passes of their own,
// made only where there are any.
package match
