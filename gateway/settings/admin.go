package settings

import "strings"

// Admin is where the console listens and whom it answers.
type Admin struct {
	Address   string   // host:port or unix:PATH; "" for none
	Hosts     []string // names by which it may be asked over TCP, in lower case
	TokenFile string   // "" for no token
}

func lowered(names []string) (out []string) {
	for _, n := range names {
		out = append(out, strings.ToLower(strings.TrimSpace(n)))
	}
	return out
}
