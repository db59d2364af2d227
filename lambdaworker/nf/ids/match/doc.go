// Package match finds which of many byte patterns occur in a buffer: the prefilter of the IDS.
//
// Each pattern is known by its rarest four bytes, their case folded. A bit map in the first-level cache says for four
// bytes of input whether they may be some pattern's; only then a table is asked and the pattern compared. Patterns of
// five bytes and more are entered under two neighbouring positions, so that looking at every second position of the
// input finds them. Shorter ones are found by a second pass by their first two bytes, made only where there are any.
package match
