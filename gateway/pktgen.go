package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/granule-nf/granule/gateway/pktgen"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pktgenSettings are the flags that a trial and RFC 2544 share.
type pktgenSettings struct {
	cfg                          pktgen.Config
	src, dst, srcMAC, dstMAC     string
	ipv6, generic, asJSON, quiet bool
	allow                        []string
}

func pktgenCommand() *cobra.Command {
	var s pktgenSettings
	size := "64"
	cmd := &cobra.Command{
		Use:   "pktgen --tx INTERFACE --rx INTERFACE [flags]",
		Short: "Generate packets on one interface and take them back on another, past what is being tested",
		Long: `Pktgen sends UDP frames out of one interface, through whatever is connected, and takes them back on another one: it counts
loss, reordering and duplicates frame by frame and measures the delay of each. Both interfaces are taken by AF_XDP, so run
it beside the appliance that is tested (another machine, or a network namespace of its own), never on its ports. Give frames
the MAC address of the next hop with --dst-mac where what is tested is a router and not a bump in the wire.

It needs root. A Linux kernel's own pktgen reaches more frames per second and receives none; see deploy/pktgen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.cfg.Sizes, err = parseSizes(size); err != nil {
				return err
			}
			g, err := s.open()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, g.Close()) }()
			r, err := g.Trial(cmd.Context(), s.cfg, s.progress(cmd.ErrOrStderr(), "sending"))
			if err != nil {
				return err
			}
			if s.asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return r.Print(cmd.OutOrStdout())
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&size, "size", size, "bytes of a frame with its FCS, `N`, or N:WEIGHT,N:WEIGHT..., or imix")
	cmd.Flags().Float64Var(&s.cfg.Rate, "rate", 0, "frames per second; 0: as fast as this machine can")
	cmd.Flags().DurationVar(&s.cfg.Duration, "duration", 10*time.Second, "how long to send")
	cmd.AddCommand(rfc2544Command())
	return cmd
}

func rfc2544Command() *cobra.Command {
	var s pktgenSettings
	var b pktgen.Benchmark
	sizes := pktgen.StandardSizes
	cmd := &cobra.Command{
		Use:   "rfc2544 --tx INTERFACE --rx INTERFACE [flags]",
		Short: "Throughput, delay and loss by frame size, as RFC 2544 asks",
		Long: `Rfc2544 finds, for each frame size, the highest rate at which nothing is lost (section 26.1), the delay at that rate (26.2) and
the loss at higher ones (26.3). What this generator can offer flat out is printed beside each: where the throughput equals it, the
device is at least that fast, and a faster generator is needed to say more.

RFC 2544 asks for trials of 60 seconds. A software device that loses a frame in a million needs --tolerance 1e-6, or the search
says what its worst moment was.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			b.Base, b.Sizes = s.cfg, sizes
			g, err := s.open()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, g.Close()) }()
			out, reports := cmd.OutOrStdout(), []pktgen.SizeReport{}
			if !s.asJSON {
				pktgen.PrintHead(out)
			}
			err = b.Run(cmd.Context(), g, func(size int, what string) pktgen.Progress {
				return s.progress(cmd.ErrOrStderr(), fmt.Sprintf("%d bytes, %s", size, what))
			}, func(r pktgen.SizeReport) {
				if reports = append(reports, r); !s.asJSON {
					r.Print(out)
				}
			})
			if s.asJSON {
				err = errors.Join(err, printJSON(out, reports))
			}
			return err
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().IntSliceVar(&sizes, "sizes", sizes, "bytes of frames with their FCS, each tested by itself")
	cmd.Flags().DurationVar(&b.Trial, "trial", 60*time.Second, "how long each trial sends")
	cmd.Flags().Float64Var(&b.Tolerance, "tolerance", 0, "share of frames that may be lost in a trial that counts as lossless")
	cmd.Flags().Float64Var(&b.Precision, "precision", 0.02, "share of the throughput to which it is found")
	cmd.Flags().Float64Var(&b.LineRate, "line-rate", 0, "bit/s of the link, which the search does not exceed; 0: what this machine can send")
	return cmd
}

func (s *pktgenSettings) flags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVar(&s.cfg.TX, "tx", "", "interface to send on")
	fs.StringVar(&s.cfg.RX, "rx", "", "interface to receive on")
	fs.IntVar(&s.cfg.Flows, "flows", 1, "UDP flows, one source port each, frame by frame in turn")
	fs.BoolVar(&s.cfg.Bidirectional, "bidirectional", false, "send both ways at once")
	fs.BoolVar(&s.ipv6, "ipv6", false, "IPv6 (2001:2::1 to 2001:2:0:1::1, RFC 5180, unless --src and --dst name others)")
	fs.StringVar(&s.src, "src", "", "source address (default 198.18.0.1, RFC 2544's benchmarking range)")
	fs.StringVar(&s.dst, "dst", "", "destination address (default 198.19.0.1)")
	fs.StringVar(&s.srcMAC, "src-mac", "", "source MAC address (default: the sending interface's)")
	fs.StringVar(&s.dstMAC, "dst-mac", "", "destination MAC address (default: the receiving interface's)")
	fs.Uint16Var(&s.cfg.SrcPort, "src-port", 0, "source port of the first flow (default 49152, or 1024 for more than 16384 flows)")
	fs.Uint16Var(&s.cfg.DstPort, "dst-port", 9, "destination port")
	fs.Uint16Var(&s.cfg.VLAN, "vlan", 0, "802.1Q tag")
	fs.DurationVar(&s.cfg.Drain, "drain", 500*time.Millisecond, "how long to wait for the last frames")
	fs.BoolVar(&s.generic, "generic", false, "take frames by generic XDP although the driver has native XDP")
	fs.StringSliceVar(&s.allow, "allow-port", nil, "interfaces to be used although something speaks against it")
	fs.BoolVar(&s.asJSON, "json", false, "print JSON")
	fs.BoolVar(&s.quiet, "no-progress", false, "draw no progress line (it is drawn on a terminal only)")
}

// open settles addresses, checks everything and takes the interfaces.
func (s *pktgenSettings) open() (*pktgen.Generator, error) {
	if s.ipv6 {
		s.cfg.Src, s.cfg.Dst = netip.MustParseAddr("2001:2::1"), netip.MustParseAddr("2001:2:0:1::1")
	}
	for _, a := range []struct {
		flag, text string
		to         *netip.Addr
	}{{"src", s.src, &s.cfg.Src}, {"dst", s.dst, &s.cfg.Dst}} {
		if a.text == "" {
			continue
		}
		var err error
		if *a.to, err = netip.ParseAddr(a.text); err != nil {
			return nil, fmt.Errorf("--%s %s: expected an IPv4 or IPv6 address", a.flag, a.text)
		}
	}
	for _, a := range []struct {
		flag, text string
		to         *net.HardwareAddr
	}{{"src-mac", s.srcMAC, &s.cfg.TXMAC}, {"dst-mac", s.dstMAC, &s.cfg.RXMAC}} {
		if a.text == "" {
			continue
		}
		mac, err := net.ParseMAC(a.text)
		if err != nil || len(mac) != 6 {
			return nil, fmt.Errorf("--%s %s: expected a MAC address such as 02:00:00:00:00:01", a.flag, a.text)
		}
		*a.to = mac
	}
	if err := s.cfg.Validate(); err != nil {
		return nil, err
	}
	return pktgen.Open(s.cfg.TX, s.cfg.RX, s.generic, s.allow)
}

// progress draws a line that is written over, on a terminal only.
func (s *pktgenSettings) progress(w io.Writer, what string) pktgen.Progress {
	f, ok := w.(*os.File)
	if s.quiet || !ok || !terminal(f) {
		return nil
	}
	const width = 30
	return func(elapsed, of time.Duration, sent, received uint64) {
		n := int(elapsed * width / of)
		fmt.Fprintf(f, "\r\x1b[K%s [%s%s] %d sent, %d back", what, strings.Repeat("=", n), strings.Repeat(" ", width-n), sent, received)
		if elapsed >= of {
			fmt.Fprint(f, "\r\x1b[K")
		}
	}
}

func terminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// parseSizes reads 64, or 64:7,594:4,1518:1, or imix.
func parseSizes(text string) ([]pktgen.Share, error) {
	if strings.EqualFold(text, "imix") {
		return pktgen.IMIX, nil
	}
	var shares []pktgen.Share
	for part := range strings.SplitSeq(text, ",") {
		size, weight, weighted := strings.Cut(part, ":")
		s := pktgen.Share{Weight: 1}
		var err, err2 error
		if s.Size, err = strconv.Atoi(size); weighted {
			s.Weight, err2 = strconv.Atoi(weight)
		}
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("--size %s: %q: expected bytes, or bytes:weight, or imix", text, part)
		}
		shares = append(shares, s)
	}
	return shares, nil
}
