package packet

// Wrapped reports whether more than an Ethernet header and the tags in VLAN stand before the network header: what is sent back to
// the sender can't be made of those alone.
func (in *Info) Wrapped() bool { return int(in.L3) > 14+4*min(int(in.VLANs), len(in.VLAN)) }

// ParseInner fills in from what a tunnel's packet of Info outer carries: a header of kind et at off of frame. Offsets count
// from the beginning of frame, and the VLAN tags are those of outer. It reports whether there is IP.
func ParseInner(frame []byte, outer *Info, et uint16, off int, in *Info) bool {
	end := int(outer.End)
	carried := frame[:min(len(frame), end)]
	tags := *outer // in may be outer
	*in = Info{End: uint32(end)}
	whole := in.link(carried, et, off)
	in.VLANs, in.VLAN, in.Stack = tags.VLANs, tags.VLAN, tags.Stack
	in.Payload = in.L3
	if whole {
		in.network(carried, end)
	}
	return in.Kind != NotIP
}
