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
	Status uint16 // of the response, 100 to 999; 0 if there is none or it is no such number

	next, prev uint32
	side       [2]side
	inUse      bool
	method     method
	simple     bool // HTTP/0.9: a request of one line
	unseen     bool // a response without a request
}

// span is a part of a buffer.
type span struct{ from, to uint16 }

// side is one direction of a transaction.
type side struct {
	progress  Progress
	head      arena.Buf // first line and fields as on the wire
	line      uint16    // the first line, without its end, is head[skip:line]
	skip      uint16    // empty lines and the like before it
	fieldsAt  uint16    // where the raw fields begin
	parsed    uint16    // fields before it are parsed
	fields    arena.Buf // "Name: value\r\n", repeated ones joined, cookies last
	table     arena.Buf // 4 bytes a field: lengths of name and value
	shown     uint16    // fields before the cookies
	shownLen  uint16    // their bytes
	uri       arena.Buf // normalised
	part      [3]span   // method, uri, protocol; or protocol, status, message: within head
	body      arena.Buf
	bodyOff   uint64 // of body's first byte
	inspected uint64 // bytes of the body that were looked at
	total     uint64 // bytes of the body so far, kept or not
	complete  bool   // the body will not grow
}

// Progress returns how far dir has come.
func (t *Tx) Progress(dir proto.Dir) Progress { return t.side[dir].progress }

// method is what a request's method means for its messages' lengths.
type method uint8

const (
	otherMethod method = iota
	headMethod
	connectMethod
	postMethod // POST and PUT
)

func methodOf(b []byte) method {
	switch string(b) {
	case "HEAD":
		return headMethod
	case "CONNECT":
		return connectMethod
	case "POST", "PUT":
		return postMethod
	}
	return otherMethod
}
