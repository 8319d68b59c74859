package bolt

import (
	"bytes"
	"encoding/binary"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

func revision(tx *bbolt.Tx) release.Revision {
	if raw := tx.Bucket(bucketMeta).Get(keyRevision); raw != nil {
		return decodeRevision(raw)
	}
	return 0
}

func encodeRevision(r release.Revision) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(r))
}

func decodeRevision(b []byte) release.Revision {
	return release.Revision(binary.BigEndian.Uint64(b))
}

// An entry on disk: created and modified, eight bytes each, then the value.
func encodeEntry(created, modified release.Revision, value []byte) []byte {
	b := make([]byte, 0, 16+len(value))
	b = binary.BigEndian.AppendUint64(b, uint64(created))
	b = binary.BigEndian.AppendUint64(b, uint64(modified))
	return append(b, value...)
}

func decodeEntry(key string, raw []byte) store.Entry {
	return store.Entry{Key: key, Created: decodeRevision(raw), Modified: decodeRevision(raw[8:]), Value: bytes.Clone(raw[16:])}
}

// A change in the log: length and key, then length and entry; length 0 is a deletion.
func appendChange(b []byte, key string, entry []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(entry)))
	return append(b, entry...)
}

func decodeChanges(rev release.Revision, prefix string, raw []byte) (out []store.Change) {
	next := func() []byte {
		n, used := binary.Uvarint(raw)
		piece := raw[used : used+int(n)]
		raw = raw[used+int(n):]
		return piece
	}
	for len(raw) > 0 {
		key, entry := string(next()), next()
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if len(entry) == 0 {
			out = append(out, store.Change{Deleted: true, Entry: store.Entry{Key: key, Modified: rev}})
			continue
		}
		out = append(out, store.Change{Entry: decodeEntry(key, entry)})
	}
	return out
}
