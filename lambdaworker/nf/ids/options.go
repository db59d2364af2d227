package ids

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// options are the keys of `ids:` in granule.yaml.
type options struct {
	Rules          names  `yaml:"rules"`          // files and patterns of files, one or a list
	Classification string `yaml:"classification"` // a classification.config; Suricata's own classes without
	Mode           string `yaml:"mode"`           // ids | ips
	Checksum       string `yaml:"checksum"`       // auto | on | off
	Midstream      bool   `yaml:"midstream"`
	StreamInline   *bool  `yaml:"stream_inline"` // as mode ips is, without
	StreamDepth    *int64 `yaml:"stream_depth"`
	Layers         *int   `yaml:"http_decompress_layers"`
	RequestBody    *int   `yaml:"http_request_body_limit"`
	ResponseBody   *int   `yaml:"http_response_body_limit"`
	Memory         int    `yaml:"memory"` // MiB for streams, fragments and parsers together
	Vars           vars   `yaml:"vars"`
}

// names are one name or a list of them.
type names []string

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (n *names) UnmarshalYAML(decode func(any) error) error {
	var one string
	if decode(&one) == nil {
		*n = names{one}
		return nil
	}
	return decode((*[]string)(n))
}

type vars struct {
	Address map[string]string `yaml:"address"`
	Port    map[string]string `yaml:"port"`
}

func (o *options) validate(s *nf.Setup) error {
	bad := func(key, format string, a ...any) error {
		file, line, column := s.Options.Pos(key)
		return nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)}
	}
	switch {
	case len(o.Rules) == 0:
		return bad("rules", "no rule file is named; write rules: [local.rules]")
	case o.Mode != "" && o.Mode != "ids" && o.Mode != "ips":
		return bad("mode", "found mode %q, expected ids or ips", o.Mode)
	case o.Checksum != "" && o.Checksum != "auto" && o.Checksum != "on" && o.Checksum != "off":
		return bad("checksum", "found %q, expected auto, on or off", o.Checksum)
	case o.StreamDepth != nil && (*o.StreamDepth < 0 || *o.StreamDepth > 1<<31):
		return bad("stream_depth", "found %d, expected bytes from 0 (all) to %d", *o.StreamDepth, 1<<31)
	case o.Layers != nil && (*o.Layers < 0 || *o.Layers > 16):
		return bad("http_decompress_layers", "found %d, expected 0 to 16", *o.Layers)
	case o.RequestBody != nil && *o.RequestBody < 0:
		return bad("http_request_body_limit", "found %d, expected bytes, 0 for all", *o.RequestBody)
	case o.ResponseBody != nil && *o.ResponseBody < 0:
		return bad("http_response_body_limit", "found %d, expected bytes, 0 for all", *o.ResponseBody)
	case o.Memory < 0 || o.Memory > 1<<16:
		return bad("memory", "found %d, expected MiB from 1 to %d, 0 for the default", o.Memory, 1<<16)
	}
	return nil
}

func (o *options) ruleVars() *rule.Vars {
	return rule.DefaultVars(rule.Vars{Address: o.Vars.Address, Port: o.Vars.Port})
}
