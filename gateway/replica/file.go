package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A replica's memory may be a file, so that it outlives the process: whoever starts next has the state after the last packet released. The file's size
// is fixed, numbers are little-endian, and every entry stands for itself, so that another process, or another machine, can read it:
//
//	0       header, headerSize bytes: magic, version, sizes, era, whose state it is (see the constants)
//	        records, recordSize bytes each: one function's state of one flow
//	        links, 4 bytes each: the block that follows a block
//	        blocks, 64 bytes each: the records' data
//	        shared state: a ring of deltas
//
// A record that is in use is valid if its checksum is right: CRC-32C over the header's era (u64), the record's first sealedBytes bytes and its data, which is in
// ceil(size/64) blocks from the first one on. Entries were told in the order of their field told.
//
// A delta of shared state stands at its place modulo the ring's size: length u32, place u64, function u8, checksum u32, worker u32, then the entry. The
// checksum is CRC-32C over the era, length, place, function and the entry. Those that count are the unbroken run that ends with the highest place.
//
// A process that is killed at any instant leaves at most the entry torn that it was writing; that one is known by its checksum. The rest of
// the file (lists, links of unused blocks) means nothing to a reader.
const (
	fileMagic   = "GRNLSTAT"
	fileVersion = 1
	headerSize  = 8192
	atVersion   = 8    // u32
	atRecords   = 12   // u32: how many
	atBlocks    = 16   // u32: how many
	atRing      = 20   // u32: bytes
	atEra       = 24   // u64: grows when all is forgotten
	atSeed      = 32   // u64: of the sub-flows
	atShard     = 40   // u32, and how many there are
	atOwner     = 48   // u16 length and text: the stage and its functions
	maxOwnerLen = 2000 // of that text
	atHeadSum   = 4092 // u32: CRC-32C of what stands before
	atEpochs    = 4096 // u16 per function: records of another epoch are forgotten
	atSince     = 4608 // u64 per function: deltas of earlier places are forgotten
)

// sealedBytes of a record are under its checksum.
const (
	sealedBytes = 80
	recordSize  = 104
)

// The layout of a record is the file's.
var (
	_ [recordSize]byte  = [unsafe.Sizeof(record{})]byte{}
	_ [sealedBytes]byte = [unsafe.Offsetof(record{}.older)]byte{}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Identity says whose state a file holds. State of another one means nothing.
type Identity struct {
	Stage     string // chain and number
	Functions string // of the stage, in order
	Seed      uint64 // that sub-flows are made with
	Shard     int
	Shards    int
}

func (id *Identity) text() string { return id.Stage + ": " + id.Functions }

// file is the mapping of a replica's file.
type file struct {
	f    *os.File
	data []byte
	path string
}

// sizes are how many records, blocks and bytes of shared state a replica of so many bytes has.
type sizes struct{ records, blocks, ring int }

func sizesOf(bytes int) sizes {
	ring := bytes / 16
	bytes -= ring
	n := bytes / perEntry
	return sizes{n, (bytes - n*int(recordBytes)) / int(blockBytes), ring}
}

func (z sizes) bytes() int {
	return headerSize + z.records*recordSize + (z.blocks*4+7)&^7 + z.blocks*blockData + z.ring
}

// memory are the parts of a replica that may lie in a file.
type memory struct {
	header  []byte
	records []record
	next    []uint32
	blocks  []block
	ring    []byte
}

// cut lays the parts over data, which has z.bytes() bytes and is aligned to 8.
func (z sizes) cut(data []byte) memory {
	m := memory{header: data[:headerSize:headerSize]}
	at := headerSize
	m.records = unsafe.Slice((*record)(unsafe.Pointer(&data[at])), z.records)
	at += z.records * recordSize
	m.next = unsafe.Slice((*uint32)(unsafe.Pointer(&data[at])), z.blocks)
	at += (z.blocks*4 + 7) &^ 7
	m.blocks = unsafe.Slice((*block)(unsafe.Pointer(&data[at])), z.blocks)
	m.ring = data[at+z.blocks*blockData:]
	return m
}

// createFile makes and maps a file of n bytes, all of which the file system has room for: where that ends later, a write to the mapping would end the process.
func createFile(path string, n int) (*file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(n)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: no room for %d bytes: %w", path, n, err), f.Close(), os.Remove(path))
	}
	data, err := unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: mmap: %w", path, err), f.Close(), os.Remove(path))
	}
	return &file{f: f, data: data, path: path}, nil
}

// writeHeader says what the file is.
func (m *memory) writeHeader(z sizes, id *Identity, era uint64) {
	text := id.text()
	if len(text) > maxOwnerLen {
		text = text[:maxOwnerLen]
	}
	h, le := m.header, binary.LittleEndian
	copy(h, fileMagic)
	le.PutUint32(h[atVersion:], fileVersion)
	le.PutUint32(h[atRecords:], uint32(z.records))
	le.PutUint32(h[atBlocks:], uint32(z.blocks))
	le.PutUint32(h[atRing:], uint32(z.ring))
	le.PutUint64(h[atEra:], era)
	le.PutUint64(h[atSeed:], id.Seed)
	le.PutUint32(h[atShard:], uint32(id.Shard))
	le.PutUint32(h[atShard+4:], uint32(id.Shards))
	le.PutUint16(h[atOwner:], uint16(len(text)))
	copy(h[atOwner+2:], text)
	le.PutUint32(h[atHeadSum:], crc32.Checksum(h[:atHeadSum], castagnoli))
}

// sumOfEra is the checksum that all others go on from.
func sumOfEra(era uint64) uint32 {
	return crc32.Checksum(binary.LittleEndian.AppendUint64(nil, era), castagnoli)
}

// seal returns the checksum of record r, whose data has been written. A chain that leads nowhere has none.
func (s *store) seal(r *record) (sum uint32, ok bool) {
	sum = crc32.Update(s.eraSum, castagnoli, unsafe.Slice((*byte)(unsafe.Pointer(r)), sealedBytes))
	b := r.data
	for left := int(r.size); left > 0; left -= blockData {
		if int(b) >= len(s.blocks) {
			return 0, false
		}
		sum = crc32.Update(sum, castagnoli, s.blocks[b][:min(left, blockData)])
		b = s.next[b]
	}
	return sum, true
}
