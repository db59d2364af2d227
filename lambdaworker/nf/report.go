package nf

// Report is what a function tells about itself, as `--counters` and the status page show it.
type Report struct {
	Chain    string           `json:"chain"`
	Stage    int              `json:"stage"`
	NF       string           `json:"nf"`
	Counters map[string]int64 `json:"counters"`
	Rules    []RuleCount      `json:"rules"`
	Top      any              `json:"top,omitempty"`   // tables a function keeps, such as a counter's top flows
	Panic    string           `json:"panic,omitempty"` // value and stack of the function's first panic; Counters has their number
}

// RuleCount is one rule's counter. Bytes count from the network header to the end given by its length field, as nft does.
type RuleCount struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	ID      uint64 `json:"id,omitempty"` // signature id of an IDS rule
	// What an IDS rule has cost: how often its bytes were looked for in a buffer, in ticks of about a nanosecond, and how often it was
	// given up because it took too long.
	Evaluations uint64 `json:"evaluations,omitempty"`
	Ticks       uint64 `json:"ticks,omitempty"`
	Exhausted   uint64 `json:"exhausted,omitempty"`
}
