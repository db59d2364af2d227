package http

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Progress says how far one direction of a transaction has come: the part that is being read. All parts before it are complete.
type Progress uint8

// Progress values, in order.
const (
	NotStarted Progress = iota
	LineProgress
	HeadersProgress
	BodyProgress
	TrailerProgress
	Done
)

// None is no transaction.
const None = ^uint32(0)

// Tx is a transaction. Parser.Tx lends it; it is valid until the parser is used again.
type Tx struct {
	ID     uint64 // number within the flow, from 0
	Flow   uint32
	Slot   uint32 // the number Parser.Tx takes: below Config.Transactions, so that the engine can keep records beside it
	Status uint16 // of the response; 0 if there is none or it is no number

	next, prev uint32
	side       [2]side
	inUse      bool
	method     method
	head       bool // a response to HEAD has no body
	noHeaders  bool // HTTP/0.9
	reqBody    bool
}

// side is one direction of a transaction.
type side struct {
	progress Progress
	text     arena.Buf // raw head: first line and headers as on the wire
	made     arena.Buf // what was derived: normalised URI, header lists
	body     arena.Buf
}

// Progress returns how far dir has come.
func (t *Tx) Progress(dir proto.Dir) Progress { return t.side[dir].progress }

type method uint8
