package rule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/corpus"
)

func TestCorpusRulesLoad(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpus.Folder(t, "ids"), "*", "test.rules"))
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
