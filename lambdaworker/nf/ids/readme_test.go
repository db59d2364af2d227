package ids

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// The example of the README, typed as it stands, raises the alerts that the text below it promises.
func TestReadmeExample(t *testing.T) {
	shell := nftest.Blocks(t, "README.md", "sh")
	if len(shell) == 0 {
		t.Fatal("no block of shell in README.md")
	}
	files := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)(?:cat|base64 -d) [^\n]*> ?(\S+)[^\n]*\n(.*?)EOF\n`).FindAllStringSubmatch(strings.ReplaceAll(shell[0], " <<'EOF'", ""), -1) {
		files[m[1]] = m[2]
	}
	packed, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(files["in.pcap"], "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	capture, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "in.pcap")
	if err := os.WriteFile(file, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	_, options, ok := strings.Cut(files["granule.yaml"], "- - ")
	if !ok {
		t.Fatalf("no function in %q", files["granule.yaml"])
	}
	s := nftest.Stage{NFs: []string{strings.TrimSpace(options)}, Files: files}
	got := nftest.Run(s.Build(t), nftest.ReadPCAP(t, file), 64)
	alerts := strings.Join(got.Events, "\n")
	for _, want := range []string{`"signature_id":1,`, `"signature_id":2,`} {
		if !strings.Contains(alerts, want) {
			t.Errorf("no event has %s:\n%s", want, alerts)
		}
	}
}
