package nftest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// The page on writing a function shows the example that is compiled and tested here.
func TestThePageShowsTheExample(t *testing.T) {
	code, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(code), "package nftest_test", "package firstpackets", 1)
	blocks := nftest.Blocks(t, "../README.md", "go")
	if len(blocks) != 2 || blocks[0] != want {
		t.Fatalf("the first of %d blocks of code in ../README.md is not example_test.go", len(blocks))
	}
	test, err := os.ReadFile("page_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Replace(string(test), "package nftest_test", "package firstpackets", 1) != blocks[1] {
		t.Error("the second block of code in ../README.md is not page_test.go")
	}
}
