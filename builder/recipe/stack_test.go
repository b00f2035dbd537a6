package recipe

import (
	"os"
	"testing"
)

// TestCheckout loads every stack of this repository.
func TestCheckout(t *testing.T) {
	root, err := os.OpenRoot("../..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	names, err := ListStacks(root.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			s, err := Load(root.FS(), name)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Roles) == 0 {
				t.Error("stack has no roles")
			}
		})
	}
}
