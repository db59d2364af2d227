// Package pcre matches the regular expressions of Suricata rules over bytes, in time linear in the input.
//
// Expressions are parsed by regexp/syntax after a translation of what PCRE writes differently, and run by an engine of
// our own that takes each byte as one character: Go's own regexp reads UTF-8, where a byte of 0x80 or more is no
// character. What RE2's algorithm can't express (lookaround, backreferences, atomic groups) is refused by name.
package pcre
