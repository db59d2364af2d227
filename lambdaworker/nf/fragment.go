package nf

import "github.com/granule-nf/granule/ingress/packet"

// SetUpper says what the datagram's first fragment said, of the packet that was added last, a fragment: its flow is the datagram's. Functions find
// ports, protocol, ICMP type and code in its Info; what Info.HasL4 stands for is in the first fragment alone.
func (p *Pipeline) SetUpper(u packet.Upper) {
	k := &p.batch.Packets[len(p.batch.Packets)-1]
	k.Info.SetUpper(u)
	if k.Learned && p.way.keyed[p.way.enters(k.From)] {
		k.Reverse = k.Info.Key(k.Data, &k.Key)
	}
}
