package nf

// Failure is what becomes of the packets of a batch in which a function panicked, as far as the function had not dropped them.
type Failure uint8

// Policies.
const (
	FailClosed Failure = iota // they are dropped, as nf_panic
	FailOpen                  // they go on as they stand, past that function
)

func (f Failure) verdict() Verdict {
	if f == FailOpen {
		return Pass
	}
	return DropPanic
}
