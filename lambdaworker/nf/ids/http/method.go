package http

// methods are those that a request may begin with behind another one, on which see afterRequest; libhtp's.
var methods = [...]string{
	"HEAD", "GET", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK",
	"UNLOCK", "VERSION-CONTROL", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL", "REPORT", "MKWORKSPACE", "MKACTIVITY",
	"BASELINE-CONTROL", "MERGE", "INVALID",
}

// beginsMethod reports whether the first word of b, behind blanks and empty lines, is a method that is known, or may become one.
func beginsMethod(b []byte) bool {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	n := 0
	for n < len(b) && !isSpace(b[n]) {
		n++
	}
	for _, m := range methods {
		if string(b[:n]) == m || n == len(b) && len(m) > n && m[:n] == string(b) {
			return true
		}
	}
	return false
}
