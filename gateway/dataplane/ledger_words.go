package dataplane

import "unsafe"

const ledgerWords = int(unsafe.Sizeof(Ledger{}) / 8)

// words is the ledger as the array of uint64 that it is: every field is one.
func (l *Ledger) words() *[ledgerWords]uint64 {
	return (*[ledgerWords]uint64)(unsafe.Pointer(l))
}
