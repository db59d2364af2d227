// Barexdp is the yardstick for packets per second: the shortest honest loop on github.com/asavie/xdp that takes frames off one
// port, copies them to the other and sends them. It looks at nothing, parks nothing, counts nothing and survives nothing.
//
// It runs under the same XDP program as the gateway, with the same rings, send buffer and send budget, on one locked thread, so
// that a ratio against it shows what the gateway's own work costs, and nothing else.
//
//	barexdp -inside in0 -outside out0
//
// It prints "ready" when frames cross, and ends on SIGTERM or SIGINT.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress/xdpprog"
)

func main() {
	inside := flag.String("inside", "", "interface of one side, one queue")
	outside := flag.String("outside", "", "interface of the other side, one queue")
	bpffs := flag.String("bpffs", xdpprog.DefaultBPFFS, "BPF file system for the program's pins, removed at exit")
	flag.Parse()
	if *inside == "" || *outside == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	if err := run([2]string{*inside, *outside}, *bpffs, stop); err != nil {
		fmt.Fprintln(os.Stderr, "barexdp:", err)
		os.Exit(1)
	}
}

func run(names [2]string, bpffs string, stop <-chan os.Signal) (err error) {
	runtime.LockOSThread()
	var index [2]int
	for s, name := range names {
		iface, err := net.InterfaceByName(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		index[s] = iface.Index
	}
	relay, err := xdpprog.Open(xdpprog.Config{
		Instance: fmt.Sprintf("barexdp-%d", os.Getpid()), BPFFS: bpffs, Ifindex: index, MaxAge: 1000 * time.Hour,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, relay.Close(false)) }()
	var sides [2]*side
	for s := range sides {
		if sides[s], err = open(index[s]); err != nil {
			return fmt.Errorf("%s: %w", names[s], err)
		}
		if err := relay.Serve(s, 0, sides[s].sock.FD()); err != nil {
			return err
		}
	}
	relay.Beats.Beat(0, xdpprog.Now()) // once, for the 1000 hours
	fmt.Println("ready")
	fds := []unix.PollFd{{Fd: int32(sides[0].sock.FD()), Events: unix.POLLIN}, {Fd: int32(sides[1].sock.FD()), Events: unix.POLLIN}}
	for idle := 0; ; {
		if sides[0].move(sides[1])+sides[1].move(sides[0]) > 0 {
			idle = 0
			continue
		}
		if idle++; idle < 3 {
			continue
		}
		select {
		case <-stop:
			return nil
		default:
			_, _ = unix.Poll(fds, 1)
		}
	}
}
