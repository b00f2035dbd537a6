package evidence

import (
	"errors"
	"maps"
	"slices"

	"github.com/mesos-forge/forge/builder/publish/sign"
)

// Why a result does not pass.
var (
	ErrNotSigned = errors.New("not signed")
	ErrOtherKey  = sign.ErrOtherKey
	ErrSubject   = errors.New("the signed provenance is not about this")
	ErrTampered  = sign.ErrTampered
	ErrDiffers   = errors.New("the rebuild differs")
)

// maxLock is the most that is read of a lock, in bytes.
const maxLock = 16 << 20

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
