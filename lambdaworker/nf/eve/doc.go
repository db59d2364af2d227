// Package eve writes EVE JSON lines, the event format of Suricata, so that whatever reads Suricata's eve.json reads ours.
//
// A function that raises an event appends one line to the batch's spare room and commits it:
//
//	line := eve.AppendAlert(b.Events.Room(), p, &sig, blocked, &eve.Context{App: "http", Tx: 3, Members: raw})
//	b.Events.Commit(line)
//
// Nothing allocates as long as the line fits; a line that does not fit is lost and counted by Commit. All records of one rule
// share one Signature, made once when the rule is loaded. What an application parser knows (http, dns, tls) is given as raw
// JSON members in Context.Members; AppendString quotes bytes off the wire for it. Other event types are written with
// Begin, raw members and End.
//
// Times are those of the packet, so that a replay gives the same lines; flow_id depends on the flow's key alone, so that
// it stays the same when a flow moves to another worker.
package eve
