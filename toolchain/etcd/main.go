// Command etcd is etcd with small write-ahead log segments. A lab keeps its data in memory and throws it away, so the
// usual 64 MB, preallocated twice, would be most of what the lab stores.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

func main() {
	wal.SegmentSizeBytes = 4 << 20
	etcdmain.Main(os.Args)
}
