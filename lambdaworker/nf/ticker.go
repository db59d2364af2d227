package nf

// Ticker is implemented by functions for which time goes on without packets: rates that decay, sessions that end. Tick tells them the time about once
// a second, by b.Now; b has no packets, and its Events take what they have to say.
type Ticker interface {
	Tick(b *Batch)
}
