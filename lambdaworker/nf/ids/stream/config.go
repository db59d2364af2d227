package stream

import "github.com/granule-nf/granule/lambdaworker/nf/ids/arena"

// Config is how a Tracker works.
type Config struct {
	Flows     int          // handles are below it
	Arena     *arena.Arena // where waiting bytes are kept
	Segments  int          // records of waiting segments, 16 B each (4 x Flows, at least 4096)
	Depth     uint32       // bytes of each direction that are handed out; 0 for all
	Inline    bool         // hand out as bytes arrive, and rewrite contradictions
	Midstream bool         // pick up sessions whose handshake was not seen
	Raw       bool         // keep bytes for Raw
	Chunk     [2]int       // Raw waits for that many bytes, by direction (2560), or for a trigger
	History   int          // bytes before the fresh ones that Raw shows as well (inline 2560; else 0, as Suricata does)
}

// DefaultDepth is Suricata's default of Config.Depth.
const DefaultDepth = 1 << 20

func (c *Config) defaults() {
	if c.Segments == 0 {
		c.Segments = max(4096, 4*c.Flows)
	}
	for d := range c.Chunk {
		if c.Chunk[d] == 0 {
			c.Chunk[d] = 2560
		}
	}
	if c.History == 0 && c.Inline {
		c.History = 2560
	}
}
