package nf

import "bytes"

// EventKind is a type of EVE event that a chain turns on or off.
type EventKind uint8

// Types. Others, such as those a function invents, are always on.
const (
	EventAlert EventKind = iota
	EventDrop
	EventAnomaly
	EventFlow
	EventStats
	NumEventKinds
)

var eventNames = [NumEventKinds]string{"alert", "drop", "anomaly", "flow", "stats"}

// String returns the type as event_type has it.
func (k EventKind) String() string {
	if k < NumEventKinds {
		return eventNames[k]
	}
	return "other"
}

// EventSet is a set of types. The zero value is DefaultEvents.
type EventSet uint8

// chosen is set in sets that somebody chose, so that an empty one is not the default.
const chosen = EventSet(1) << 7

// DefaultEvents are on where nobody says anything: what went wrong or was decided, but nothing that every flow or every second
// brings.
var DefaultEvents = EventsOf(EventAlert, EventDrop, EventAnomaly)

// EventsOf returns the set of these types.
func EventsOf(kinds ...EventKind) EventSet {
	s := chosen
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Has reports whether a type is on.
func (s EventSet) Has(k EventKind) bool {
	if s == 0 {
		s = DefaultEvents
	}
	return k >= NumEventKinds || s&(1<<k) != 0
}

// Without returns s less some types.
func (s EventSet) Without(kinds ...EventKind) EventSet {
	if s == 0 {
		s = DefaultEvents
	}
	for _, k := range kinds {
		s &^= 1 << k
	}
	return s
}

// EventKindOf returns the type with that name.
func EventKindOf(name string) (EventKind, bool) {
	for k, n := range eventNames {
		if n == name {
			return EventKind(k), true
		}
	}
	return NumEventKinds, false
}

var typeMember = []byte(`"event_type":"`)

// kindOf reads the type of a line, which stands in its first members.
func kindOf(line []byte) EventKind {
	at := bytes.Index(line[:min(len(line), 192)], typeMember)
	if at < 0 {
		return NumEventKinds
	}
	word := line[at+len(typeMember):]
	for k, n := range eventNames {
		if len(word) > len(n) && word[len(n)] == '"' && string(word[:len(n)]) == n {
			return EventKind(k)
		}
	}
	return NumEventKinds
}
