package oci

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// partSuffix is what the name of a blob ends with that is not complete yet.
const partSuffix = ".part"

// download fetches one blob into a file, from where an earlier one ended.
type download struct {
	r      *repository
	path   string
	digest v1.Hash
	size   int64
	report *progress
}

// run fetches the blob. The file has its name when all of it is there and has the digest.
func (d download) run(ctx context.Context) (err error) {
	if _, err := os.Stat(d.path); err == nil { // renamed by an earlier pull: back, to be checked as what is not complete
		if err := os.Rename(d.path, d.path+partSuffix); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(d.path+partSuffix, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := d.repeat(ctx, f); err != nil {
		return err
	}
	return errors.Join(f.Sync(), os.Rename(d.path+partSuffix, d.path))
}

// repeat does again what may succeed the next time. Attempts that got further don't count.
func (d download) repeat(ctx context.Context, f *os.File) error {
	const further = 1 << 20
	var reached int64
	for attempt := 1; ; attempt++ {
		err := d.once(ctx, f)
		if err == nil || !passing(err) {
			return err
		}
		at, seekErr := f.Seek(0, io.SeekCurrent)
		if seekErr != nil {
			return seekErr
		}
		if at >= reached+further {
			attempt, reached = 1, at
		}
		if attempt >= attempts {
			return err
		}
		if err := pause(ctx, attempt, cmp.Or(d.r.o.RetryWait, time.Second)); err != nil {
			return err
		}
	}
}

// once reads what is there, and fetches the rest.
func (d download) once(ctx context.Context, f *os.File) error {
	sum := sha256.New()
	have, err := d.resume(f, sum)
	if err != nil {
		return err
	}
	resumed := have > 0
	if have < d.size || have == 0 {
		body, from, err := d.r.blob(ctx, d.digest, have)
		if err != nil {
			return err
		}
		defer body.Close()
		if from != have { // a registry without ranges
			if err := d.restart(f, sum); err != nil {
				return err
			}
			resumed = false
		}
		n, err := io.Copy(io.MultiWriter(f, sum, progressWriter{io.Discard, d.report}), io.LimitReader(body, d.size-from+1))
		if have = from + n; err != nil {
			return err
		}
	}
	if have < d.size {
		return fmt.Errorf("%d of %d bytes: %w", have, d.size, io.ErrUnexpectedEOF)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); have > d.size || got != d.digest.Hex {
		if err := d.restart(f, sum); err != nil {
			return err
		}
		if resumed { // what was there before may be what is wrong
			return d.once(ctx, f)
		}
		return fmt.Errorf("%w: its digest is sha256:%s, %d bytes of %d", ErrWrongDigest, got, have, d.size)
	}
	return nil
}

// resume reads what is there already. More than the whole is no start of it.
func (d download) resume(f *os.File, sum hash.Hash) (int64, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	have, err := io.Copy(sum, io.LimitReader(f, d.size+1))
	if err != nil {
		return 0, err
	}
	if have > d.size {
		return 0, d.restart(f, sum)
	}
	d.report.add(have)
	return have, nil
}

func (d download) restart(f *os.File, sum hash.Hash) error {
	sum.Reset()
	_, err := f.Seek(0, io.SeekStart)
	return errors.Join(err, f.Truncate(0))
}

// blob asks for a blob from a byte on. It says from which byte on it comes.
func (r *repository) blob(ctx context.Context, digest v1.Hash, from int64) (io.ReadCloser, int64, error) {
	request, err := r.request(ctx, http.MethodGet, "blobs/"+digest.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	switch {
	case answer.StatusCode == http.StatusOK:
		return body{answer.Body}, 0, nil
	case answer.StatusCode == http.StatusPartialContent && strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)):
		return body{answer.Body}, from, nil
	}
	return nil, 0, errors.Join(answerError(answer), answer.Body.Close())
}

// body tells errors of the connection, of whatever version of HTTP, from those of the file that it is written to.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", ErrDropped, err)
	}
	return n, err
}
