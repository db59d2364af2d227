package appliance

import (
	"strings"
	"testing"

	"github.com/granule-nf/granule/gateway/settings"
)

func TestTLSOffNeedsLoopback(t *testing.T) {
	_, err := newFleet(settings.Fleet{Listen: "0.0.0.0:0"}, 1, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("TLS off on every address: %v", err)
	}
}
