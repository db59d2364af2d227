package settings

import (
	"encoding/json"
	"fmt"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// Bundle is what a worker of a stage is handed.
type Bundle struct {
	Stage json.RawMessage // nf.Bundle but for the files
	Files []byte          // packed as wire.PackFiles does
}

// Pack makes of a stage what an invocation carries: the files, packed, beside the rest. The error is that of packing or encoding; it does not come of
// a bundle that chain has compiled.
func Pack(b nf.Bundle) (Bundle, error) {
	files, err := wire.PackFiles(b.Files)
	if err != nil {
		return Bundle{}, err
	}
	b.Files = nil
	stage, err := json.Marshal(b)
	return Bundle{stage, files}, err
}

// Payload is how many bytes of an invocation the bundle takes: bytes are base64 in JSON.
func (b *Bundle) Payload() int { return len(b.Stage) + (len(b.Files)+2)/3*4 }

// tooLarge says that the stage of b hands more to a worker than Lambda takes.
func tooLarge(b *nf.Bundle, payload int) error {
	f := b.NFs[0]
	return nf.Problems{{File: f.File, Line: f.Line, Column: f.Column, Message: fmt.Sprintf(
		"stage %d of chain %s hands %d bytes of configuration to each worker; expected at most %d, which is what Lambda takes: name fewer or smaller files, or cut the stage in two",
		b.Stage, b.Chain, payload, chain.MaxPayload)}}
}
