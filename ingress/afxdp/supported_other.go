//go:build !amd64

package afxdp

import (
	"fmt"
	"runtime"
)

// supported tells why AF_XDP ports can't be used here. github.com/asavie/xdp publishes its ring indices without memory
// barriers, so on an architecture that reorders stores the kernel may see an index before the descriptor it covers,
// and corrupt frames without a sign.
func supported() error {
	return fmt.Errorf("AF_XDP ports run on amd64 only, this is %s: the rings of github.com/asavie/xdp have no memory barriers, "+
		"which other processors need; capture-file ports work here", runtime.GOARCH)
}
