package settings

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// choice is a flag value out of a few words.
type choice struct {
	value *string
	of    []string
}

func choiceVar(fs *pflag.FlagSet, p *string, name, value, usage string, of ...string) {
	*p = value
	fs.Var(&choice{p, of}, name, usage+" ("+strings.Join(of, "|")+")")
}

// String implements pflag.Value.
func (c *choice) String() string { return *c.value }

// Type implements pflag.Value.
func (c *choice) Type() string { return strings.Join(c.of, "|") }

// Set implements pflag.Value.
func (c *choice) Set(v string) error {
	for _, w := range c.of {
		if v == w {
			*c.value = v
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s", v, strings.Join(c.of, ", "))
}
