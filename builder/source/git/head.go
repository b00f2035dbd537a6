package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// maxStatus is the most that git may say about a checkout that is clean, in bytes.
const maxStatus = 64

// Head returns the id of the commit that the checkout dir is at, if none of the paths below it was changed since: "" if
// one was, if dir is no checkout, or if that can't be told.
func (c *Client) Head(ctx context.Context, dir string, paths ...string) string {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
		return ""
	}
	r := &repository{client: c}
	var head, changed strings.Builder
	if err := r.run(ctx, &limited{w: &head, left: maxStatus}, "", "-C", dir, "rev-parse", "--verify", "HEAD^{commit}"); err != nil {
		return ""
	}
	status := append([]string{"--no-optional-locks", "-C", dir, "-c", "core.fsmonitor=false", "status", "--porcelain", "--"}, paths...)
	if err := r.run(ctx, &limited{w: &changed, left: maxStatus}, "", status...); err != nil || changed.Len() > 0 {
		return ""
	}
	return strings.TrimSpace(head.String())
}
