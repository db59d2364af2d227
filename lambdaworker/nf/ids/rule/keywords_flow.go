package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// flows are the keywords about how much a flow has carried, the packet in hand included.
var flows = map[string]keyword{
	"stream_size":         {argNeeded, (*parser).streamSize},
	"flow.age":            numeric(FieldFlowAge, math.MaxUint32, nil),
	"flow.pkts":           carried(FieldFlowPackets, math.MaxUint32),
	"flow.pkts_toserver":  carriedOn(FieldFlowPackets, WayToServer, math.MaxUint32),
	"flow.pkts_toclient":  carriedOn(FieldFlowPackets, WayToClient, math.MaxUint32),
	"flow.bytes":          carried(FieldFlowBytes, math.MaxUint64),
	"flow.bytes_toserver": carriedOn(FieldFlowBytes, WayToServer, math.MaxUint64),
	"flow.bytes_toclient": carriedOn(FieldFlowBytes, WayToClient, math.MaxUint64),
}

// streamSize is  client, >, 5000  without the short forms that other keywords of numbers have.
func (p *parser) streamSize(arg string, _ int) error {
	w := commas(arg)
	if len(w) != 3 {
		return fmt.Errorf("%q is not of the form client, >, 5000", strings.TrimSpace(arg))
	}
	way, ok := map[string]Way{"client": WayToServer, "server": WayToClient, "both": WayBoth, "either": WayEither}[w[0]]
	if !ok {
		return fmt.Errorf("%q is no side; client server both either are", w[0])
	}
	op, ok := map[string]RangeOp{">": Greater, "<": Less, "=": Equal, "!=": NotEqual, ">=": GreaterEqual, "<=": LessEqual}[w[1]]
	if !ok {
		return fmt.Errorf("%q is no comparison; > < = != >= <= are", w[1])
	}
	n, err := strconv.ParseUint(w[2], 10, 32)
	if err != nil {
		return fmt.Errorf("%q is no number from 0 to %d", w[2], uint32(math.MaxUint32))
	}
	// The stream keeps its size between packets: content of the rule goes on being looked for in the stream.
	p.rule.Fields = append(p.rule.Fields, Field{Kind: FieldStreamSize, Way: way, Range: Range{Op: op, A: n}})
	return nil
}

// carried is  toserver,>10 .
func carried(kind FieldKind, max uint64) keyword {
	return keyword{argNeeded, func(p *parser, arg string, at int) error {
		to, text, ok := strings.Cut(arg, ",")
		to = strings.TrimSpace(to)
		way, known := map[string]Way{"toserver": WayToServer, "toclient": WayToClient, "both": WayBoth, "either": WayEither}[to]
		if !ok || !known {
			return fmt.Errorf("%q is no direction with a number behind it; toserver toclient both either are, as in toserver,>10", strings.TrimSpace(arg))
		}
		return carriedOn(kind, way, max).set(p, text, at)
	}}
}

func carriedOn(kind FieldKind, way Way, max uint64) keyword {
	return keyword{argNeeded, func(p *parser, arg string, _ int) error {
		r, err := number(arg, max, nil)
		p.rule.Fields = append(p.rule.Fields, Field{Kind: kind, Way: way, Range: r})
		p.rule.NeedPacket = true
		return err
	}}
}
