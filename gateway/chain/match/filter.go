package match

// Filter is a compiled expression. It is immutable, and any number of goroutines may ask it.
type Filter struct {
	root test
	vlan bool
}

// Error is what is wrong with an expression, and at which byte of it.
type Error struct {
	Offset  int
	Message string // what was found, what was expected
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Compile reads an expression. An empty one is an error: whoever wants every packet asks nothing.
func Compile(text string) (*Filter, *Error) {
	p := &parser{text: text, layer: layer{payload: 14, linkType: 12}}
	if p.tokens, p.failed = lex(text); p.failed != nil {
		return nil, p.failed
	}
	root, _ := p.expression(noQualifiers)
	if p.failed == nil && p.peek().kind != tokenEnd {
		p.fail(p.peek(), "found %s; expected `and`, `or` or the end of the expression", p.peek())
	}
	if p.failed != nil {
		return nil, p.failed
	}
	return &Filter{root: root, vlan: p.layer.payload > 14}, nil
}

// Match asks the filter of a frame, from its Ethernet header, that was wire bytes long. It allocates nothing.
func (f *Filter) Match(frame []byte, wire uint32) bool { return f.root.ask(frame, wire) == yes }

// VLAN reports whether the expression says `vlan`; one that doesn't holds for no IP packet behind a tag, but by `ether`.
func (f *Filter) VLAN() bool { return f.vlan }
