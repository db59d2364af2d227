package rule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// corpus returns the folder of the detection cases.
func corpus(t *testing.T) string {
	dir := os.Getenv("GRANULE_CORPUS")
	if dir == "" {
		dir = "../../../../../shared/corpus"
	}
	dir = filepath.Join(dir, "ids")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus: set GRANULE_CORPUS (%v)", err)
	}
	return dir
}

func TestCorpusRulesLoad(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpus(t), "*", "test.rules"))
	if len(files) == 0 {
		t.Fatal("the corpus has no rule files")
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var expect struct{ Vars Vars }
		b, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "expect.json"))
		if err := json.Unmarshal(b, &expect); err != nil {
			t.Fatal(err)
		}
		s := NewSet(DefaultVars(expect.Vars), DefaultClasses())
		if s.Add(f, string(text)) == 0 {
			t.Errorf("%s: no rule", f)
		}
		for _, p := range s.Problems {
			t.Errorf("%s:%d:%d: %s: %s", filepath.Base(filepath.Dir(p.File)), p.Line, p.Column, p.Keyword, p.Message)
		}
	}
}
