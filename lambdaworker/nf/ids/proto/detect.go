package proto

// Detector decides what a TCP flow speaks, from the first bytes of both directions, on any port. Its zero value is ready.
type Detector struct {
	Proto Protocol
	seen  [2]uint8 // tries that did not decide, per direction
}

// TCP looks at the first bytes of the stream of dir (all of them since its start, up to MaxProbe). ports are those of client and server.
func (d *Detector) TCP(dir Dir, data []byte, clientPort, serverPort uint16) Protocol { return d.Proto }

// UDP looks at a datagram.
func UDP(dir Dir, data []byte, clientPort, serverPort uint16) Protocol { return Unknown }
