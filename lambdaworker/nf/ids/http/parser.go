package http

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// Parser follows the HTTP of many flows. It is used by one goroutine.
type Parser struct {
	cfg Config
	txs []Tx
}

// Stats are counters of a Parser since its start.
type Stats struct {
	Requests     uint64
	Responses    uint64
	NoMemory     uint64 // bytes that found no room: a head or body is incomplete
	NoSlot       uint64 // a flow or transaction was not followed: Connections or Transactions are used up
	NoInflater   uint64 // a body stayed compressed: Inflaters are used up
	BadEncoding  uint64 // a body was no such compression; kept as it came
	OverLimit    uint64 // a line or header was larger than HeaderLimit
	Desync       uint64 // bytes that are no HTTP ended the inspection of a direction
	TxOverwhelms uint64 // transactions that gave way because a flow had PerFlow of them
}

// New makes a parser.
func New(cfg Config) *Parser {
	cfg.defaults()
	return &Parser{cfg: cfg}
}

// Feed takes the next bytes of a direction of flow. It reports false when that direction is not inspected any further: it
// speaks no HTTP any more (CONNECT, an upgrade, bytes that make no sense) or what was needed did not fit.
func (p *Parser) Feed(flow uint32, dir proto.Dir, data []byte) bool { return false }

// Gap says that n bytes of a direction were lost. Within a body of known length it goes on; elsewhere it ends the inspection of the direction.
func (p *Parser) Gap(flow uint32, dir proto.Dir, n uint64) bool { return false }

// Close says that a direction has ended: what was waiting for more is complete now.
func (p *Parser) Close(flow uint32, dir proto.Dir) {}

// Forget drops all that is known of a flow.
func (p *Parser) Forget(flow uint32) {}

// First returns the slot of the flow's oldest transaction, or None.
func (p *Parser) First(flow uint32) uint32 { return None }

// Next returns the slot of the transaction after that in slot, or None.
func (p *Parser) Next(slot uint32) uint32 { return None }

// Tx lends the transaction in slot.
func (p *Parser) Tx(slot uint32) *Tx { return &p.txs[slot] }

// Release drops a transaction that was inspected in both directions.
func (p *Parser) Release(slot uint32) {}

// Buffer returns a buffer of a transaction, and whether the message has it at all: a header that is there and empty is
// empty and true. The bytes are valid until the parser is used again.
func (p *Parser) Buffer(tx *Tx, dir proto.Dir, b Buffer) ([]byte, bool) { return nil, false }

// Headers returns the i-th header of a direction as "Name: value", for http.request_header and http.response_header.
func (p *Parser) Headers(tx *Tx, dir proto.Dir, i int) ([]byte, bool) { return nil, false }

// URILen returns the lengths that urilen tests: of the normalised and of the raw URI.
func (p *Parser) URILen(tx *Tx) (normalised, raw int) { return 0, 0 }

// Body is the kept part of a body.
type Body struct {
	Data     []byte // valid until the parser is used again
	Offset   uint64 // of Data[0] within the body, after decompression
	Fresh    int    // Data[Fresh:] was not inspected yet
	Complete bool   // nothing more will come: the message ended, or the limit is reached
}

// Body returns what is kept of a direction's body.
func (p *Parser) Body(tx *Tx, dir proto.Dir) Body { return Body{} }

// BodyReady reports whether a look at the body is due: it has bytes not inspected, and enough of them (Config.MinInspect) or will get no more.
func (p *Parser) BodyReady(tx *Tx, dir proto.Dir) bool { return false }

// BodyInspected says that all of Body was looked at; only a window of it is kept for the next look.
func (p *Parser) BodyInspected(tx *Tx, dir proto.Dir) {}

// Stats returns the counters.
func (p *Parser) Stats() Stats { return Stats{} }

// AppendState appends all that is known of flow, as versioned bytes, to b. It appends nothing if nothing is known.
func (p *Parser) AppendState(flow uint32, b []byte) []byte { return b }

// ApplyState replaces what is known of flow by what AppendState wrote. It reports false, and knows nothing of the flow afterwards,
// if state is not well-formed or there is no room.
func (p *Parser) ApplyState(flow uint32, state []byte) bool { return false }
