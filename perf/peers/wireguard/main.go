// Command wireguard is one end of a wireguard-go tunnel: a user-space program that reads packets from a kernel device,
// encrypts them and sends them on, written by people who care about speed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

func main() {
	name := flag.String("tun", "wg0", "device to make")
	mtu := flag.Int("mtu", device.DefaultMTU, "its MTU")
	private := flag.String("private", "", "private key, hexadecimal")
	public := flag.String("peer", "", "the peer's public key, hexadecimal")
	port := flag.Int("listen", 51820, "UDP port")
	endpoint := flag.String("endpoint", "", "the peer's host:port")
	allowed := flag.String("allowed", "", "prefix behind the peer")
	flag.Parse()
	if err := run(*name, *mtu, fmt.Sprintf("private_key=%s\nlisten_port=%d\npublic_key=%s\nendpoint=%s\nallowed_ip=%s\n",
		*private, *port, *public, *endpoint, *allowed)); err != nil {
		fmt.Fprintln(os.Stderr, "wireguard:", err)
		os.Exit(1)
	}
}

func run(name string, mtu int, settings string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	t, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return fmt.Errorf("make the device %s: %w", name, err)
	}
	d := device.NewDevice(t, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, ""))
	defer d.Close()
	if err := d.IpcSet(settings); err != nil {
		return err
	}
	if err := d.Up(); err != nil {
		return err
	}
	fmt.Println("ready")
	<-signals
	return nil
}
