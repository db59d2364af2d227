package tlsrecord

import "net"

// recordConn gives crypto/tls the bytes of one record at a time, however much room it offers: what crypto/tls has read
// beyond the handshake would be lost when the connection is taken over.
type recordConn struct {
	net.Conn
	header [headerSize]byte
	have   int // bytes of header read
	left   int // bytes of the record behind its header still to be read
}

// Read returns no byte behind the end of the current record.
func (c *recordConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		n, err := c.Conn.Read(b[:min(len(b), headerSize-c.have)])
		copy(c.header[c.have:], b[:n])
		if c.have += n; c.have == headerSize {
			c.have = 0
			c.left = int(c.header[3])<<8 | int(c.header[4])
		}
		return n, err
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}
