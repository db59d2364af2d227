package http

import "bytes"

// normalise appends to out what http.uri holds of a request URI: path, query and fragment, without scheme and authority.
// In the path, percent-encoding is undone, backslashes become slashes, runs of slashes become one, and dot segments are
// removed; in the query percent-encoding is undone. Invalid percent-encoding stays as it is.
func normalise(uri, out []byte) []byte {
	path, query, fragment, hasQuery, hasFragment := split(uri)
	base := len(out)
	out = decodePath(path, out)
	out = out[:base+len(removeDots(out[base:]))]
	if hasQuery {
		out = append(out, '?')
		out = decode(query, out)
	}
	if hasFragment {
		out = append(out, '#')
		out = append(out, fragment...)
	}
	return out
}

// split cuts a URI into its parts. An authority is looked for behind a scheme only.
func split(uri []byte) (path, query, fragment []byte, hasQuery, hasFragment bool) {
	rest, _ := cutAuthority(uri)
	n := bytes.IndexAny(rest, "?#")
	if n < 0 {
		return rest, nil, nil, false, false
	}
	path, rest = rest[:n], rest[n:]
	if rest[0] == '?' {
		hasQuery = true
		query = rest[1:]
		n = bytes.IndexByte(query, '#')
		if n < 0 {
			return path, query, nil, true, false
		}
		query, rest = query[:n], query[n:]
	}
	return path, query, rest[1:], hasQuery, true
}

// cutAuthority takes scheme and authority off a URI, and returns the host with its port.
func cutAuthority(uri []byte) (rest, host []byte) {
	if len(uri) == 0 || uri[0] == '/' {
		return uri, nil
	}
	colon := bytes.IndexByte(uri, ':')
	if colon < 0 {
		return uri, nil
	}
	rest = uri[colon+1:]
	if !bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("///")) {
		if len(rest) > 0 && rest[0] == '/' {
			return rest, nil
		}
	} else {
		rest = rest[2:]
	}
	n := bytes.IndexAny(rest, "/?#")
	if n < 0 {
		n = len(rest)
	}
	host, rest = rest[:n], rest[n:]
	if at := bytes.IndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	return rest, host
}

// decode appends b to out with percent-encoding undone.
func decode(b, out []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' && i+2 < len(b) {
			if h, l := hexDigit(b[i+1]), hexDigit(b[i+2]); h >= 0 && l >= 0 {
				c = byte(h<<4 | l)
				i += 2
			}
		}
		out = append(out, c)
	}
	return out
}

// decodePath is decode, and makes one slash of any run of slashes and backslashes, encoded or not.
func decodePath(b, out []byte) []byte {
	slash := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' && i+2 < len(b) {
			if h, l := hexDigit(b[i+1]), hexDigit(b[i+2]); h >= 0 && l >= 0 {
				c = byte(h<<4 | l)
				i += 2
			}
		}
		if c == '\\' {
			c = '/'
		}
		if c == '/' && slash {
			continue
		}
		slash = c == '/'
		out = append(out, c)
	}
	return out
}

// removeDots removes dot segments in place (RFC 3986 section 5.2.4).
func removeDots(p []byte) []byte {
	w := 0
	for i := 0; i < len(p); {
		rest := p[i:]
		switch {
		case w == 0 && bytes.HasPrefix(rest, []byte("../")):
			i += 3
		case w == 0 && bytes.HasPrefix(rest, []byte("./")):
			i += 2
		case bytes.HasPrefix(rest, []byte("/./")):
			i += 2
		case string(rest) == "/.":
			p[w], i = '/', len(p)
			w++
		case bytes.HasPrefix(rest, []byte("/../")):
			i += 3
			w = max(0, bytes.LastIndexByte(p[:w], '/'))
		case string(rest) == "/..":
			w = max(0, bytes.LastIndexByte(p[:w], '/'))
			p[w], i = '/', len(p)
			w++
		case w == 0 && (string(rest) == "." || string(rest) == ".."):
			i = len(p)
		default:
			p[w] = p[i]
			w, i = w+1, i+1
			for i < len(p) && p[i] != '/' {
				p[w] = p[i]
				w, i = w+1, i+1
			}
		}
	}
	return p[:w]
}
