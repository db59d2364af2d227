package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
)

// maxRecord is the longest record in bytes: tcpdump's and wireshark's limit. A file that claims more is broken.
const maxRecord = 262144

const ngMagic = 0x0A0D0D0A // type of pcapng's first block, the same in both byte orders

// source reads records of either format.
type source interface {
	ZeroCopyReadPacketData() (data []byte, ci gopacket.CaptureInfo, err error)
	LinkType() LinkType
}

// openSource recognises the format.
func openSource(r io.Reader) (s source, nanos bool, err error) {
	defer contain(&err)
	br := bufio.NewReaderSize(r, 1<<16)
	magic, err := br.Peek(4)
	if err != nil {
		return nil, false, fmt.Errorf("too short for a capture file: %w", noEOF(err))
	}
	if binary.LittleEndian.Uint32(magic) == ngMagic {
		ng, err := pcapgo.NewNgReader(&blockGuard{r: br}, pcapgo.NgReaderOptions{ErrorOnMismatchingLinkType: true})
		if err != nil {
			return nil, false, fmt.Errorf("pcapng: %w", noEOF(err))
		}
		return ng, true, nil
	}
	nanos = binary.LittleEndian.Uint32(magic) == 0xA1B23C4D || binary.BigEndian.Uint32(magic) == 0xA1B23C4D
	classic, err := pcapgo.NewReader(guardRecords(br, magic))
	if err != nil {
		return nil, false, fmt.Errorf("not a pcap or pcapng file: %w", noEOF(err))
	}
	// The header's snap length is often a lie, and tcpdump and wireshark ignore it too.
	classic.SetSnaplen(maxRecord)
	return classic, nanos, nil
}

// next reads a record. io.EOF comes only at a record's end.
func next(s source) (data []byte, ci gopacket.CaptureInfo, err error) {
	defer contain(&err)
	return s.ZeroCopyReadPacketData()
}

// contain makes an error of a panic in the format's decoder: a file must not end the process.
func contain(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("decoder failed: %v", p)
	}
}

// noEOF is for places where the end is not expected.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
