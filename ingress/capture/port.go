package capture

import (
	"errors"
	"fmt"
	"os"

	"github.com/granule-nf/granule/ingress"
)

// Config says which files. At least one of Read and Write must be set.
type Config struct {
	Read  string // path of the capture whose frames are received; "": none ever come
	Write string // path of the capture that transmitted frames are written to; "": they are counted and forgotten

	Frames   int      // frames that can be parked (4096, 2 KiB each; longer ones take more, at most 256 of them)
	LinkType LinkType // of what is written: Ethernet if 0; take it, and Nanos, from the port that reads
	Nanos    bool     // write times in ns; otherwise in us, what is finer being cut off. pcapng always has ns
}

// Port is a capture file as a side of the wire.
type Port struct {
	in    *reader
	out   *writer
	stats ingress.PortStats
}

var _ ingress.Port = (*Port)(nil)

// Open opens the files. One that can't be read, or has a link type that is neither Ethernet nor IP, is refused here.
func Open(cfg Config) (*Port, error) {
	if cfg.Read == "" && cfg.Write == "" {
		return nil, errors.New("capture port: neither a file to read nor one to write")
	}
	if cfg.Frames == 0 {
		cfg.Frames = 4096
	}
	p := &Port{}
	if cfg.Read != "" {
		f, err := os.Open(cfg.Read)
		if err != nil {
			return nil, err
		}
		if p.in, err = newReader(f, cfg.Frames); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", cfg.Read, err), f.Close())
		}
		p.in.name = cfg.Read
	}
	if cfg.Write != "" {
		var err error
		if p.out, err = newWriter(&cfg); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// LinkType is that of the file being read, Ethernet without one.
func (p *Port) LinkType() LinkType {
	if p.in == nil {
		return Ethernet
	}
	return p.in.src.LinkType()
}

// Nanos reports whether the file being read has times in ns.
func (p *Port) Nanos() bool { return p.in != nil && p.in.nanos }

// FD is -1: a file is always ready.
func (p *Port) FD() int { return -1 }

// Frames is how many received frames can be held before Receive waits for a Release.
func (p *Port) Frames() int {
	if p.in == nil {
		return 0
	}
	return p.in.buffers.count
}

// MaxFrame is the longest record that tools agree on, with the header that a bare packet is given.
func (p *Port) MaxFrame() int { return maxRecord + etherLen }

// MTU is none: a file carries what there is.
func (p *Port) MTU() int { return 0 }

// Done reports that every readable record was received. See Err for why it ended.
func (p *Port) Done() bool { return p.in == nil || p.in.done }

// Receive fills frames from the front.
func (p *Port) Receive(frames []ingress.Frame) int {
	if p.in == nil {
		return 0
	}
	n := p.in.receive(frames)
	p.stats.RxPackets += uint64(n)
	for i := range frames[:n] {
		p.stats.RxBytes += uint64(len(frames[i].Data))
	}
	return n
}

// Release gives frames back.
func (p *Port) Release(ids []uint32) {
	for _, id := range ids {
		p.in.buffers.give(id)
	}
}

// Transmit writes frames to the file, all of them. Without a file, or once writing has failed, they count as dropped.
func (p *Port) Transmit(frames []ingress.Frame) int {
	for i := range frames {
		f := &frames[i]
		switch {
		case p.out == nil:
			p.stats.TxDropped++
		case p.out.err != nil:
			p.stats.TxErrors++
		case p.out.write(f):
			p.stats.TxPackets++
			p.stats.TxBytes += uint64(len(f.Data))
		case p.out.err != nil:
			p.stats.TxErrors++
		default:
			p.stats.TxInvalid++
		}
	}
	return len(frames)
}

// Flush hands what was written to the operating system.
func (p *Port) Flush() (pending bool) {
	if p.out != nil {
		p.out.flush()
	}
	return false
}

// Stats adds the port's counters to s.
func (p *Port) Stats(s *ingress.PortStats) {
	s.RxPackets += p.stats.RxPackets
	s.RxBytes += p.stats.RxBytes
	s.TxPackets += p.stats.TxPackets
	s.TxBytes += p.stats.TxBytes
	s.TxInvalid += p.stats.TxInvalid
	s.TxErrors += p.stats.TxErrors
	s.TxDropped += p.stats.TxDropped
}

// Err tells what went wrong so far: the record from which the input is unreadable, or why the output could not be written.
func (p *Port) Err() error {
	var errs []error
	if p.in != nil {
		errs = append(errs, p.in.err)
	}
	if p.out != nil {
		errs = append(errs, p.out.err)
	}
	return errors.Join(errs...)
}

// Close ends both files. Frames still held stay valid. It returns the output's error, if there was one.
func (p *Port) Close() error {
	var errs []error
	if p.in != nil {
		errs = append(errs, p.in.file.Close())
	}
	if p.out != nil {
		errs = append(errs, p.out.close())
	}
	return errors.Join(errs...)
}
