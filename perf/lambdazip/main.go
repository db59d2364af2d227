// Command lambdazip writes the archive that a provided.al2023 function is made of: one file at the root, named bootstrap and
// executable. `make artifact` uses it, so that nobody needs zip. The same bootstrap makes the same archive, byte for byte.
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: lambdazip BOOTSTRAP ARCHIVE")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "lambdazip:", err)
		os.Exit(1)
	}
}

func pack(bootstrap, archive string) error {
	program, err := os.ReadFile(bootstrap)
	if err != nil {
		return err
	}
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o755) // Lambda runs it as it lies
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	if _, err := f.Write(program); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(archive, out.Bytes(), 0o644)
}
