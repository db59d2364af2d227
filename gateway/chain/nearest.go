package chain

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// meant is the end of an error about an unknown word.
func meant(word string, known []string) string {
	if n := nf.Nearest(word, known); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}
