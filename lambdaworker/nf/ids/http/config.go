package http

import "github.com/granule-nf/granule/lambdaworker/nf/ids/arena"

// Config is how a Parser works. The zero value of every field but Flows and Arena stands for its default, in parentheses.
type Config struct {
	Flows             int          // handles are below it
	Arena             *arena.Arena // where the bytes are kept
	Connections       int          // flows followed at once (Flows)
	Transactions      int          // transactions kept at once (2 x Connections)
	PerFlow           int          // transactions of one flow kept at once; the oldest gives way (512)
	HeaderLimit       int          // bytes of one line or header with its folds (18000)
	RequestBodyLimit  int          // bytes inspected of a request body (102400); Unlimited for all
	ResponseBodyLimit int          // bytes inspected of a response body after decompression (102400); Unlimited for all
	DecompressLayers  int          // nested content encodings undone (2)
	Inflaters         int          // decompressors, each 40 KiB, made when first needed (64)
	MinInspect        [2]int       // first look at a body when that many bytes are there (32768 request, 40960 response)
	InspectWindow     [2]int       // seen bytes kept for the next look (4096 request, 16384 response)
	Inline            bool         // look at every piece of a body as it comes
}

// Unlimited as a body limit takes the largest body that the arena can hold in one block.
const Unlimited = -1

func (c *Config) defaults() {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Connections, c.Flows)
	set(&c.Transactions, 2*c.Connections)
	set(&c.PerFlow, 512)
	set(&c.HeaderLimit, 18000)
	set(&c.RequestBodyLimit, 100<<10)
	set(&c.ResponseBodyLimit, 100<<10)
	for _, v := range []*int{&c.RequestBodyLimit, &c.ResponseBodyLimit} {
		if *v < 0 || *v > arena.MaxBlock {
			*v = arena.MaxBlock
		}
	}
	set(&c.DecompressLayers, 2)
	set(&c.Inflaters, 64)
	set(&c.MinInspect[0], 32<<10)
	set(&c.MinInspect[1], 40<<10)
	set(&c.InspectWindow[0], 4<<10)
	set(&c.InspectWindow[1], 16<<10)
}
