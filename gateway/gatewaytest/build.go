package gatewaytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Main is what a test package's TestMain calls: it runs the tests and removes what they had built.
func Main(m *testing.M) {
	code := m.Run()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
	}
	os.Exit(code)
}

// builds are the programs of this process's tests, each built once.
var builds struct {
	mu   sync.Mutex
	dir  string
	done map[string]error
}

// Bootstrap returns the path of the worker's artifact.
func Bootstrap(t testing.TB) string {
	t.Helper()
	return Build(t, "bootstrap", "lambdaworker", "-tags", "lambda.norpc")
}

// Granule returns the path of the gateway's program.
func Granule(t testing.TB) string {
	t.Helper()
	return Build(t, "granule", "gateway")
}

// Build builds a program of this module, statically, the first time that it is asked for by that name, and returns its path.
func Build(t testing.TB, name, folder string, flags ...string) string {
	t.Helper()
	path, err := build(t, name, filepath.Join(Root(t), folder), flags)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t testing.TB, name, folder string, flags []string) (path string, err error) {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.dir == "" {
		if builds.dir, err = os.MkdirTemp("", "granule-test-"); err != nil {
			return "", err
		}
		builds.done = map[string]error{}
	}
	path = filepath.Join(builds.dir, name)
	if err, built := builds.done[name]; built {
		return path, err
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), ".")...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build in %s: %w\n%s", folder, err, out)
	}
	builds.done[name] = err
	return path, err
}

// Root returns the module's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("tests run in the module's folders, and this is none")
		}
		dir = up
	}
}
