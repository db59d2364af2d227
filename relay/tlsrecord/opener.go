package tlsrecord

// Opener turns records back into what was sent. It is used by one goroutine. Without keys it changes nothing.
type Opener struct {
	half
}

// size returns the length of the record that raw begins with, 0 while its header is not complete.
func (o *Opener) size(raw []byte) (n int, fault Fault) {
	if len(raw) < headerSize {
		return 0, FaultNone
	}
	n = int(raw[3])<<8 | int(raw[4])
	switch {
	case raw[0] != typeData || raw[1] != 3 || raw[2] != 3:
		return 0, FaultType
	case n > maxSealed || n < 1+tagSize:
		return 0, FaultLength
	}
	return headerSize + n, FaultNone
}

// open decrypts one whole record and appends its content to dst, which has room for it.
func (o *Opener) open(dst, rec []byte) ([]byte, Fault) {
	nonce := o.next(len(rec) - headerSize - tagSize)
	if nonce == nil {
		return dst, FaultWorn
	}
	at := len(dst)
	out, err := o.aead.Open(dst, nonce, rec[headerSize:], rec[:headerSize])
	if err != nil {
		return dst, FaultMAC
	}
	end := len(out)
	for end > at && out[end-1] == 0 { // padding, which our own side never adds
		end--
	}
	if end == at {
		return dst, FaultType
	}
	kind := out[end-1]
	end--
	if end-at > maxPlain {
		return dst, FaultLength
	}
	switch kind {
	case typeData:
		return out[:end], FaultNone
	case typeAlert:
		if end-at == 2 && out[at+1] == closeNotify {
			return dst, FaultClosed
		}
		return dst, FaultAlert
	case typeShake:
		return dst, FaultHandshake
	}
	return dst, FaultType
}
