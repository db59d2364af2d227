package ruleset

import "github.com/granule-nf/granule/ingress/packet"

// options are the kinds of TCP option that rules may ask for (IANA's TCP parameters), as nft names them.
var options = [...]struct {
	name string
	kind uint8
}{
	{"nop", 1}, {"maxseg", 2}, {"window", 3}, {"sack-perm", 4}, {"sack", 5}, {"timestamp", 8}, {"md5sig", 19}, {"mptcp", 30}, {"fastopen", 34},
}

const numOptions = Field(len(options))

// OptionField returns the field that says whether a TCP segment has the option of that name.
func OptionField(name string) (f Field, ok bool) {
	if name == "sack-permitted" {
		name = "sack-perm"
	}
	for i := range options {
		if options[i].name == name {
			return optionExists + Field(i), true
		}
	}
	return 0, false
}

// OptionKind returns the kind of option that f asks for; ok is false if f is of nothing like that.
func OptionKind(f Field) (kind uint8, ok bool) {
	switch {
	case f >= optionExists && f <= optionsEnd:
		return options[f-optionExists].kind, true
	case f == OptionMSS:
		return 2, true
	case f == OptionScale:
		return 3, true
	}
	return 0, false
}

// IsOptionExists reports whether f is 1 or 0 for segments with and without an option.
func IsOptionExists(f Field) bool { return f >= optionExists && f <= optionsEnd }

func init() {
	for i := range options {
		Fields[optionExists+Field(i)] = FieldInfo{"tcp option " + options[i].name, 1, TypeBoolean, 0, packet.ProtoTCP}
	}
}
