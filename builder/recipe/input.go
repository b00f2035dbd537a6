package recipe

// Input is one thing of the checkout that a result depends on: the settings
// of a recipe file in canonical form, or a file's bytes.
type Input struct {
	// Name is the path in the checkout, which `forge plan` shows:
	// "recipes/bookworm/components/hdfs.yaml", "overlays/slave/etc/motd".
	Name string `json:"name"`
	// SHA256 of the canonical settings or of the file, 64 hexadecimal digits.
	SHA256 string `json:"sha256"`
}
