// Package translate keeps the sessions of functions that rewrite addresses. A session is one conversation of two ends, one on the inside of
// the function and one on its outside; it is one entry that is found by two keys: as its packets look on the inside, and as they look on the outside.
// So its two directions live and end together.
//
// Sessions end by time, as protocols need it (RFC 4787, 5382, 5508, 7857), are told of in deltas when something changed that a
// successor has to know, and are withdrawn when the packet that made them does not pass the stage. When the table is full, those that
// nobody has answered go first, the oldest first; one that was answered never does.
package translate
