package settings

import (
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
)

// Gateway is what a gateway is put together from: every setting, checked, in the form that the parts take.
type Gateway struct {
	Ports     Ports
	Plan      *Plan
	Dataplane dataplane.Config
	ReplicaMB int // of all shards; 0 for none
	Workers   coordinator.Config
	Fleet     Fleet
	Admin     Admin
	Events    string // "" for none
	State     State
	Version   string // shown by status; whoever starts the gateway fills it in
	Reread    Reread // nil: the configuration stays
}

// maxRedeliveries bounds the setting of that name: a slot counts them in few bits.
const maxRedeliveries = 99

// Bounds of the setting replica-memory, in MiB.
const (
	defaultReplicaMB = 64
	maxReplicaMB     = 64 << 10
)
