package capture

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"

	"github.com/granule-nf/granule/ingress"
)

// writer writes frames as records: pcapng if the file is called so, else pcap.
type writer struct {
	file *os.File
	buf  *bufio.Writer
	ng   *pcapgo.NgWriter
	pcap *pcapgo.Writer
	bare bool
	err  error // the first; nothing is written after it
}

func newWriter(cfg *Config) (*writer, error) {
	linkType := cfg.LinkType
	if linkType == 0 {
		linkType = Ethernet
	}
	if err := checkLinkType(linkType); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Write, err)
	}
	f, err := os.Create(cfg.Write)
	if err != nil {
		return nil, err
	}
	w := &writer{file: f, buf: bufio.NewWriterSize(f, 1<<18), bare: bare(linkType)}
	switch {
	case strings.HasSuffix(cfg.Write, ".pcapng"):
		w.ng, err = pcapgo.NewNgWriter(w.buf, linkType)
	case cfg.Nanos:
		w.pcap = pcapgo.NewWriterNanos(w.buf)
		err = w.pcap.WriteFileHeader(maxRecord, linkType)
	default:
		w.pcap = pcapgo.NewWriter(w.buf)
		err = w.pcap.WriteFileHeader(maxRecord, linkType)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", cfg.Write, err), f.Close())
	}
	return w, nil
}

// write adds a frame; false: it has no header to take off, or writing failed (err).
func (w *writer) write(f *ingress.Frame) bool {
	data, wire := f.Data, max(int(f.Wire), len(f.Data))
	if w.bare {
		if len(data) < etherLen {
			return false
		}
		data, wire = data[etherLen:], wire-etherLen
	}
	ci := gopacket.CaptureInfo{Timestamp: time.Unix(0, f.Time), CaptureLength: len(data), Length: wire}
	if w.ng != nil {
		w.err = w.ng.WritePacket(ci, data)
	} else {
		w.err = w.pcap.WritePacket(ci, data)
	}
	return w.err == nil
}

func (w *writer) flush() {
	if w.err != nil {
		return
	}
	if w.ng != nil {
		w.err = w.ng.Flush()
	}
	if w.err == nil {
		w.err = w.buf.Flush()
	}
}

func (w *writer) close() error {
	w.flush()
	return errors.Join(w.err, w.file.Close())
}
