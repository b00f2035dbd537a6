package bundle

import "errors"

// What can be wrong with a bundle; an *Error wraps one of them.
var (
	ErrTruncated = errors.New("it is cut off: copy it again")
	ErrIndex     = errors.New("its index can't be used")
	ErrUnknown   = errors.New("the index does not name it")
	ErrRepeated  = errors.New("it is there twice or not in its place")
	ErrEntry     = errors.New("it is not an entry of a bundle")
	ErrDigest    = errors.New("its content is not what its name says: copy the bundle again")
	ErrMissing   = errors.New("it is not in the bundle")
	ErrTrailing  = errors.New("something follows the end of the bundle")
)

// Error says what is wrong with a bundle.
type Error struct {
	Bundle string // path
	Entry  string // its name, or the input that it is; "": the bundle as a whole
	Err    error
}

func (e *Error) Error() string {
	s := "bundle " + e.Bundle + ": "
	if e.Entry != "" {
		s += e.Entry + ": "
	}
	return s + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }
