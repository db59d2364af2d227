package main

import "slices"

// reasonFor says why granule may raise more than Suricata does; nothing if there is no reason, or if it raises less of anything.
func reasonFor(d *dialogue, theirs, ours alerts) string {
	for sid := range theirs {
		if ours[sid] < theirs[sid] {
			return ""
		}
	}
	switch {
	case slices.Contains(d.kinds, "connect"):
		return "what a tunnel carries is found out by the reply as well, and at a second CONNECT; behind a refused one any method is a request"
	case slices.Contains(d.kinds, "odd first"):
		return "a first request that only its reply reveals is found, however that reply is cut"
	case slices.Contains(d.kinds, "encoded"):
		return "a body that may be clear text or a few codes of DEFLATE is shown as both"
	}
	return ""
}
