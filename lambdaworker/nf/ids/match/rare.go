package match

// common are sequences that every second packet holds.
var common = []string{
	"http", "ttp/", "tp/1", "p/1.", "/1.1", "1.1\r", ".1\r\n", "\r\n\r\n", "www.", ".com", ".htm", "html", ".php", "host", "user", "ser-", "er-a", "agen", "gent", "ent:",
	"acce", "ccep", "cept", "ept:", "ept-", "cont", "onte", "nten", "tent", "ent-", "type", "ype:", "mozi", "ozil", "zill", "illa", "\r\nac", "\r\nho", "\r\nus", "\r\nco",
	"post", "get ", "connection", "onne", "nnec", "ecti", "ction", "tion", "ion:", "leng", "engt", "ngth", "gth:", "cook", "okie", "kie:", "200 ", "00 o", "0 ok", "text", "ext/", "/htm",
	"imag", "mage", "refe", "efer", "http://", "ttp:", "tp:/", "p://", "keep", "eep-", "ep-a", "p-al", "-ali", "aliv", "live", "gzip", "defl", "java", "scri", "cript", "ript", "wind", "indo", "ndow", "dows",
}

var commonFours = func() map[string]bool {
	m := map[string]bool{}
	for _, s := range common {
		for i := 0; i+4 <= len(s); i++ {
			m[s[i:i+4]] = true
		}
	}
	return m
}()

// sameByte is the rarity of one byte over again.
const sameByte = 1

// rarity guesses how rarely three or four bytes are met, from the classes of their bytes.
func rarity(b []byte) int {
	low := lower(b)
	if commonFours[string(low)] {
		return 0
	}
	n, same := 4, true
	for i, c := range low {
		if c != low[0] {
			same = false
		}
		switch {
		case c == 0 || c == ' ' || c == 0xff:
		case c == 'e' || c == 't' || c == 'a' || c == 'o' || c == 'i' || c == 'n' || c == 's' || c == 'r':
			n += 2
		case c >= 'a' && c <= 'z' || c == '/' || c == '.' || c == '-' || c == '=' || c == ':' || c == '\r' || c == '\n':
			n += 4
		case c >= '0' && c <= '9':
			n += 4
		case c < 0x80:
			n += 6
		default:
			n += 7
		}
		if i > 0 && c == low[i-1] {
			n--
		}
	}
	if same {
		return sameByte
	}
	return n
}

// Strength guesses how well a pattern tells what holds it from what does not: by its length, bytes that are everywhere counting less.
func Strength(b []byte) (n int) {
	for _, c := range b {
		switch {
		case c == 0 || c == ' ' || c == 0xff:
			n += 1
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '\r' || c == '\n' || c == '/' || c == '.' || c >= '0' && c <= '9':
			n += 4
		default:
			n += 5
		}
	}
	return n
}
