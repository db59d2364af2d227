package main

import (
	"os"

	"github.com/granule-nf/granule/gateway/replay"
	"github.com/spf13/cobra"
)

func replayCommand() *cobra.Command {
	var o replay.Options
	cmd := &cobra.Command{
		Use:   "replay --config granule.yaml --in in.pcap",
		Short: "run the chains over a capture in this process: what would they do?",
		Long: `Replay runs the chains of a configuration over a capture file, pcap or pcapng, in this process, with the code that
workers run: what passes, what is dropped and why, alerts, counters of every rule. No worker, port or privilege is
needed.

--out takes the packets that leave, in the order of the capture: bytes and times untouched, but for what a function
rewrote. Frames that functions make themselves (a RST, an ICMP error) are counted; with --injected they are written
too, behind the packet that caused each. Packets are classified as by a running gateway: what is not IP crosses untouched
and is counted as bypassed; so do flows that no chain wants, unless unmatched is drop. Only neighbour discovery, multicast
listener reports and IGMP, which cross a gateway unjudged, are judged here, to show what rules say of them.

--events takes EVE JSON lines: alerts, anomalies, and a drop with its reason for every packet dropped; flows and statistics too of chains
whose event-types name them. pcap_cnt is the packet's
number in the capture. --counters takes a JSON object in which received = forwarded + bypassed + dropped.

A capture does not say on which side a packet was caught. Name the hosts inside with --inside-hosts; with none named,
whoever opens a flow is inside.`,
		Example: `  granule replay --config granule.yaml --in in.pcap --out out.pcap --events eve.json --counters counters.json
  granule replay --config granule.yaml --in in.pcap --events - | jq 'select(.event_type == "alert")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.Run(cmd.Flags(), os.LookupEnv, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.Flags(cmd.Flags())
	return cmd
}
