package node

import "time"

// defaultStart bounds the wait for a service whose manifest says nothing.
const defaultStart = 90 * time.Second
