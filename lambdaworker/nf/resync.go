package nf

// Resyncer is implemented by functions that follow flows packet by packet.
type Resyncer interface {
	// Resync says that packets may have passed unseen: flows that are known are taken up where their next packets show them to be, and
	// followed strictly again from there.
	Resync()
}

// Resync tells all functions that packets may have passed unseen before those of the next batch, as when the wire was relayed while the
// gateway was stopped. State imported later counts as followed without a gap, so whoever imports state from before a gap calls it after that.
func (p *Pipeline) Resync() {
	for _, f := range p.nfs {
		if r, ok := f.(Resyncer); ok {
			r.Resync()
		}
	}
}
