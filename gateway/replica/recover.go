package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/lambdaworker/state"
)

// Recovered is what Open found in a file that was there.
type Recovered struct {
	Found   bool   // there was one
	Refused string // why its state was not taken, with what was found and what was expected; "" if it was
	Entries int    // of flows, taken
	Shared  int    // deltas of shared state, taken
	Torn    int    // entries that had been half written
}

// Open makes a replica whose memory is the file at cfg.Path, and takes over the state that stands in a file already there, which stays as it is until all of it
// has been taken. What is taken counts as told by worker 0. An error is that of making the file: then there is no replica.
func Open(cfg Config) (*Replica, Recovered, error) {
	var found Recovered
	if cfg.Bytes < MinBytes || cfg.Bytes > MaxBytes {
		return nil, found, fmt.Errorf("replica: %d bytes of memory; %d to %d are possible", cfg.Bytes, MinBytes, MaxBytes)
	}
	z := sizesOf(cfg.Bytes)
	f, err := createFile(cfg.Path+".new", z.bytes())
	if err != nil {
		return nil, found, err
	}
	r := newReplica(cfg, z, z.cut(f.data))
	r.file, r.sealed, r.functions = f, true, strings.Count(cfg.Identity.Functions, ", ")+1
	r.label()
	old, err := os.Open(cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		found = Recovered{Found: true, Refused: err.Error()}
	default:
		found = r.recover(old)
		if err := old.Close(); err != nil {
			return nil, found, errors.Join(err, r.Close())
		}
	}
	if err := os.Rename(f.path, cfg.Path); err != nil {
		return nil, found, errors.Join(err, r.Close())
	}
	f.path = cfg.Path
	return r, found, nil
}

// label writes the header: whose state this is, and what of it counts.
func (r *Replica) label() {
	if r.file == nil {
		return
	}
	for i := range maxFunctions {
		binary.LittleEndian.PutUint16(r.memory.header[atEpochs+2*i:], r.epochs[i])
		binary.LittleEndian.PutUint64(r.memory.header[atSince+8*i:], r.since[i])
	}
	r.memory.writeHeader(r.sizes, &r.identity, r.era)
}

// Close ends the use of the file, whose state stays; what it does not need is given back to the file system. A replica without a file has nothing to close.
func (r *Replica) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	hole := func(from, to int) {
		if from = (from + 4095) &^ 4095; from < to {
			_ = unix.Fallocate(int(f.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(from), int64(to-from)) // as good without
		}
	}
	hole(headerSize+int(r.top)*recordSize, headerSize+r.sizes.records*recordSize)
	blocks := headerSize + r.sizes.records*recordSize + (r.sizes.blocks*4+7)&^7
	hole(blocks+int(r.topBlock)*blockData, blocks+r.sizes.blocks*blockData)
	if r.log.end() < uint64(r.sizes.ring) {
		hole(blocks+r.sizes.blocks*blockData+int(r.log.end()), len(f.data))
	}
	return errors.Join(unix.Munmap(f.data), f.f.Close())
}

// recover takes over what stands in another replica's file.
func (r *Replica) recover(old *os.File) (found Recovered) {
	found.Found = true
	refuse := func(format string, a ...any) Recovered {
		found.Refused = fmt.Sprintf("%s: ", old.Name()) + fmt.Sprintf(format, a...)
		return found
	}
	info, err := old.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < headerSize {
		return refuse("found no whole file; expected state of a gateway")
	}
	n := int(info.Size())
	data, err := unix.Mmap(int(old.Fd()), 0, n, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return refuse("mmap: %v", err)
	}
	defer func() { _ = unix.Munmap(data) }() // it was mapped
	le := binary.LittleEndian
	z := sizes{int(le.Uint32(data[atRecords:])), int(le.Uint32(data[atBlocks:])), int(le.Uint32(data[atRing:]))}
	text := data[atOwner+2:][:min(int(le.Uint16(data[atOwner:])), maxOwnerLen)]
	id := &r.identity
	switch version := le.Uint32(data[atVersion:]); {
	case string(data[:8]) != fileMagic:
		return refuse("found another kind of file; expected state of a gateway")
	case version != fileVersion:
		return refuse("found format %d; expected %d", version, fileVersion)
	case le.Uint32(data[atHeadSum:]) != crc32.Checksum(data[:atHeadSum], castagnoli):
		return refuse("its header was half written")
	case z.records <= 0 || z.blocks <= 0 || z.ring <= deltaHead || n < z.bytes():
		return refuse("found %d bytes; expected %d, which its header says", n, z.bytes())
	case string(text) != id.text():
		return refuse("found the state of %s; expected that of %s", text, id.text())
	case int(le.Uint32(data[atShard:])) != id.Shard || int(le.Uint32(data[atShard+4:])) != id.Shards:
		return refuse("found the state of shard %d of %d; expected that of %d of %d", le.Uint32(data[atShard:]), le.Uint32(data[atShard+4:]), id.Shard, id.Shards)
	case le.Uint64(data[atSeed:]) != id.Seed:
		return refuse("found sub-flows of another seed")
	}
	m := z.cut(data[:z.bytes():z.bytes()])
	eraSum := sumOfEra(le.Uint64(data[atEra:]))
	from := store{eraSum: eraSum, records: m.records, blocks: m.blocks, next: m.next}
	var order []uint32
	for i := range from.records {
		rec := &from.records[i]
		if !rec.used || rec.epoch != le.Uint16(data[atEpochs+2*int(rec.nf):]) || int(rec.nf) >= r.functions || rec.sub >= SubFlows {
			continue
		}
		if sum, ok := from.seal(rec); !ok || sum != rec.sum {
			found.Torn++
			continue
		}
		order = append(order, uint32(i))
	}
	slices.SortFunc(order, func(a, b uint32) int {
		if from.records[a].told < from.records[b].told {
			return -1
		}
		return 1
	})
	var e state.Entry
	var entry []byte
	for _, i := range order {
		entry = from.append(entry[:0], i, &e)
		if in := state.Read(entry); in.Next(&e) {
			r.put(&e, 0, anybody{})
			found.Entries++
		}
	}
	l := ring{data: m.ring, eraSum: eraSum}
	for _, d := range l.survivors() {
		if d.place >= le.Uint64(data[atSince+8*int(d.nf):]) && int(d.nf) < r.functions {
			r.share(0, d.nf, d.entry)
			found.Shared++
		}
	}
	return found
}

// anybody has a say in everything: what stands in a file has been judged before.
type anybody struct{}

func (anybody) Holds(uint32, uint16) bool    { return true }
func (anybody) Home(uint16, *[6]uint64) bool { return false }

// survivor is a delta of shared state that stands whole in a ring.
type survivor struct {
	place uint64
	nf    uint8
	entry []byte
}

// survivors are the deltas of the unbroken run that ends with the newest whole one, oldest first.
func (l *ring) survivors() []survivor {
	var all []survivor
	size := uint64(len(l.data))
	var head [deltaHead]byte
	for at := range l.data {
		l.peek(head[:], at)
		place, n := binary.LittleEndian.Uint64(head[4:]), int(binary.LittleEndian.Uint32(head[:]))
		if place%size != uint64(at) || n <= 0 || n > len(l.data)-deltaHead {
			continue
		}
		entry := make([]byte, n)
		l.peek(entry, (at+deltaHead)%len(l.data))
		if l.seal(&head, entry) == binary.LittleEndian.Uint32(head[deltaSum:]) {
			all = append(all, survivor{place, head[12], entry})
		}
	}
	slices.SortFunc(all, func(a, b survivor) int {
		if a.place < b.place {
			return -1
		}
		return 1
	})
	first := len(all)
	for first > 0 && (first == len(all) || all[first-1].place+deltaHead+uint64(len(all[first-1].entry)) == all[first].place) {
		first--
	}
	return all[first:]
}

// peek copies bytes from at on, round the end.
func (l *ring) peek(b []byte, at int) {
	n := copy(b, l.data[at:])
	copy(b[n:], l.data)
}

// Restored reports whether anything of sub-flow sub was told before this process, and not since: flows that may have moved on unseen.
func (r *Replica) Restored(sub uint16) bool {
	first := r.subs[sub].oldest // what was told since stands behind it
	return first != none && r.owners[r.records[first].owner].worker == 0
}

// Unseen says that packets have passed that no worker saw: all that is known counts as told before.
func (r *Replica) Unseen() {
	for i := range r.owners {
		r.owners[i].worker = 0
	}
}

// Has reports whether any function's state of key is known.
func (r *Replica) Has(key *[6]uint64) bool {
	_, ok := r.first(key)
	return ok
}
