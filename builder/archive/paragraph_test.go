package archive

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseParagraphs(t *testing.T) {
	got, err := ParseParagraphs([]byte("# comment\nPackage: a\nDescription: one\n two\n .\n  three  \n\n\nPackage:b\nEmpty:\n#x\n y\n"))
	want := []Paragraph{
		{{"Package", "a"}, {"Description", "one\ntwo\n.\n three"}},
		{{"Package", "b"}, {"Empty", "\ny"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestParagraphsAreBounded has input that takes quadratic time where a field is put together line by line,
// or each field is compared with all others: minutes, instead of an instant.
func TestParagraphsAreBounded(t *testing.T) {
	long := "A: x\n" + strings.Repeat(" y\n", 1<<20)
	got, err := ParseParagraphs([]byte(long))
	if err != nil || len(got) != 1 || len(got[0].Get("a")) != 1+2<<20 {
		t.Errorf("a field of a million lines: %d paragraphs, %v", len(got), err)
	}
	var many strings.Builder
	for i := range 1 << 20 {
		fmt.Fprintf(&many, "%d:\n", i)
	}
	if _, err := ParseParagraphs([]byte(many.String())); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "line 1001") {
		t.Errorf("a million fields: %v, want ErrLimit at line 1001", err)
	}
}
