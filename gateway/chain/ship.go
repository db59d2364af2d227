package chain

import "github.com/granule-nf/granule/lambdaworker/nf"

// MaxPayload is how many bytes an invocation may carry to a function (Lambda quota "invocation payload, synchronous").
const MaxPayload = 6 << 20

// Ships says what goes to the stage's workers for every packet.
func Ships(n nf.Needs) string {
	switch {
	case n.Reads == nf.Full || n.Writes == nf.Full:
		return "whole packets"
	case n.Reads == nf.Headers:
		return "headers"
	}
	return "lengths"
}

// Returns says what comes back for every packet.
func Returns(n nf.Needs) string {
	back := "verdicts"
	switch n.Writes {
	case nf.Headers:
		back = "verdicts and rewritten headers"
	case nf.Full:
		back = "verdicts and rewritten packets"
	}
	if n.Injects {
		back += ", and frames of its own"
	}
	return back
}

// AffinityWords says which packets meet at one worker.
func AffinityWords(a nf.Affinity) string {
	switch a {
	case nf.ByInside:
		return "all packets of an inside address"
	case nf.ByOutside:
		return "all packets of an outside address"
	}
	return "both directions of a flow"
}
