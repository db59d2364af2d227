package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// alerts counts alerts by the id of their rule.
type alerts [sids]int

// place is a directory that both judges can see, and how to run Suricata there.
type place struct {
	dir     string   // as this program sees it
	within  string   // as Suricata does
	command []string // what its options follow
}

func newPlace(suricata string) (p place, err error) {
	root, in := strings.CutPrefix(suricata, "chroot:")
	if p.command = []string{suricata}; in {
		p.command = []string{"chroot", root, "suricata"}
	}
	parent := os.TempDir()
	if in {
		parent = filepath.Join(root, "tmp")
	}
	if p.dir, err = os.MkdirTemp(parent, "suricata-diff-"); err != nil {
		return p, fmt.Errorf("a directory that Suricata can see: %w", err)
	}
	if p.within = p.dir; in {
		p.within = filepath.Join("/tmp", filepath.Base(p.dir))
	}
	return p, nil
}

func (p *place) remove() { _ = os.RemoveAll(p.dir) }

func (p *place) write(all []dialogue, rng *rand.Rand) error {
	if len(all) > maxDialogues {
		return fmt.Errorf("-n is %d; at most %d have ports of their own", len(all), maxDialogues)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "test.rules"), []byte(rules), 0o644); err != nil {
		return err
	}
	config := "chains:\n  - name: diff\n    stages:\n      - - ids: {rules: [test.rules], mode: ids}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "granule.yaml"), []byte(config), 0o644); err != nil {
		return err
	}
	return writeCapture(filepath.Join(p.dir, "in.pcap"), all, rng)
}

func (p *place) suricata() (map[uint16]alerts, error) {
	at := func(name string) string { return filepath.Join(p.within, name) }
	args := append(p.command[1:len(p.command):len(p.command)], "-r", at("in.pcap"), "-S", at("test.rules"), "-l", p.within, "--runmode", "single", "-k", "none")
	if out, err := exec.Command(p.command[0], args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("suricata: %w\n%s", err, out)
	}
	return readAlerts(filepath.Join(p.dir, "eve.json"))
}

func (p *place) granule(binary string) (map[uint16]alerts, error) {
	at := func(name string) string { return filepath.Join(p.dir, name) }
	out, err := exec.Command(binary, "replay", "--config", at("granule.yaml"), "--in", at("in.pcap"), "--out", at("out.pcap"),
		"--events", at("granule.json"), "--counters", at("counters.json")).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s replay: %w\n%s", binary, err, out)
	}
	return readAlerts(at("granule.json"))
}

// readAlerts counts the alerts of EVE JSON lines by the client's port.
func readAlerts(file string) (map[uint16]alerts, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := map[uint16]alerts{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Type  string `json:"event_type"`
			Src   uint16 `json:"src_port"`
			Dst   uint16 `json:"dest_port"`
			Alert struct {
				SID int `json:"signature_id"`
			} `json:"alert"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if e.Type != "alert" || e.Alert.SID <= 0 || e.Alert.SID >= sids {
			continue
		}
		client := max(e.Src, e.Dst) // the server's is 80
		a := found[client]
		a[e.Alert.SID]++
		found[client] = a
	}
	return found, lines.Err()
}
