package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What Lambda unpacks is one executable named bootstrap, and packing it again changes nothing.
func TestPack(t *testing.T) {
	dir := t.TempDir()
	program := bytes.Repeat([]byte("worker"), 10_000)
	bootstrap := filepath.Join(dir, "built")
	if err := os.WriteFile(bootstrap, program, 0o600); err != nil {
		t.Fatal(err)
	}
	var archives [2][]byte
	for i := range archives {
		path := filepath.Join(dir, "worker.zip")
		if err := pack(bootstrap, path); err != nil {
			t.Fatal(err)
		}
		archives[i], _ = os.ReadFile(path)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("packed twice, the archives differ")
	}
	r, err := zip.NewReader(bytes.NewReader(archives[0]), int64(len(archives[0])))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode() != 0o755 {
		t.Fatalf("%d files, the first %q with mode %v; expected bootstrap alone, 0755", len(r.File), r.File[0].Name, r.File[0].Mode())
	}
	f, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, program) {
		t.Errorf("%d bytes unpacked, %v; expected the %d packed", len(got), err, len(program))
	}
	if err := pack(filepath.Join(dir, "none"), filepath.Join(dir, "none.zip")); err == nil {
		t.Error("no bootstrap, no error")
	}
}
