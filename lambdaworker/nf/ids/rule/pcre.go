package rule

import (
	"fmt"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/pcre"
)

// regexBuffers are the flags of pcre that name a buffer.
var regexBuffers = map[byte]Buffer{
	'U': HTTPURI, 'I': HTTPURIRaw, 'P': HTTPRequestBody, 'Q': HTTPResponseBody, 'H': HTTPHeader, 'D': HTTPHeaderRaw,
	'M': HTTPMethod, 'C': HTTPCookie, 'S': HTTPStatCode, 'Y': HTTPStatMsg, 'V': HTTPUserAgent, 'W': HTTPHost, 'Z': HTTPHostRaw,
}

// regex reads  [!]"/expr/flags[,captures]" . The quotes may be missing. Captured variables are for logging alone.
func regex(arg string) (it *Item, buffer Buffer, has bool, err error) {
	s := strings.TrimSpace(arg)
	it = &Item{Kind: PCRE}
	if strings.HasPrefix(s, "!") {
		it.Negated = true
		s = strings.TrimSpace(s[1:])
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	end := strings.LastIndexByte(s, '/')
	if len(s) < 2 || s[0] != '/' || end == 0 {
		return nil, 0, false, fmt.Errorf("%s is not of the form /expression/flags", arg)
	}
	flags := s[end+1:]
	// A comma before the captures: their names may hold no slash, but the flags must not be looked for in them.
	if i := strings.IndexByte(flags, ','); i >= 0 {
		flags = flags[:i]
	}
	var r pcre.Flags
	expr := strings.ReplaceAll(strings.ReplaceAll(s[1:end], `\;`, `;`), `\"`, `"`)
	if expr == "" {
		return nil, 0, false, fmt.Errorf("the expression is empty")
	}
	for i := range len(flags) {
		switch f := flags[i]; f {
		case 'i':
			r.NoCase = true
		case 's':
			r.DotAll = true
		case 'm':
			r.MultiLine = true
		case 'x':
			r.Extended = true
		case 'A':
			r.Anchored = true
		case 'E':
			r.DollarEnd = true
		case 'G':
			r.Ungreedy = true
		case 'R':
			it.Relative = true
		case 'B', 'O': // raw bytes are what there is; match limits are ours
		default:
			b, ok := regexBuffers[f]
			if !ok {
				return nil, 0, false, fmt.Errorf("flag %q is not known", f)
			}
			if has && b != buffer {
				return nil, 0, false, fmt.Errorf("flags name two buffers, %s and %s", buffer, b)
			}
			buffer, has = b, true
		}
	}
	if it.Regex, err = pcre.Compile(expr, r); err != nil {
		return nil, 0, false, fmt.Errorf("/%s/: %w", expr, err)
	}
	return it, buffer, has, nil
}
