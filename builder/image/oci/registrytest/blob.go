package registrytest

import (
	"path/filepath"
	"strings"
)

// Blob is the file in which a registry that keeps its data in a folder has a blob; digest is "sha256:<64 hex>".
func Blob(data, digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(data, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data")
}
