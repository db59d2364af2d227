package locallambda

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
)

// reservedVariables are those that the platform sets and refuses in a function's configuration.
var reservedVariables = map[string]bool{
	"_HANDLER": true, "AWS_REGION": true, "AWS_DEFAULT_REGION": true,
	"AWS_LAMBDA_FUNCTION_NAME": true, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": true, "AWS_LAMBDA_FUNCTION_VERSION": true,
	"AWS_LAMBDA_INITIALIZATION_TYPE": true, "AWS_LAMBDA_LOG_GROUP_NAME": true, "AWS_LAMBDA_LOG_STREAM_NAME": true,
	"AWS_LAMBDA_RUNTIME_API": true, "LAMBDA_TASK_ROOT": true, "LAMBDA_RUNTIME_DIR": true,
}

// variables is the whole environment of a function's process. It starts from nothing: what the gateway was started
// with (credentials, tokens, proxies) is none of the function's business, and isn't there on the platform either.
func (f *function) variables(runtimeAPI, logStream string) []string {
	vars := map[string]string{
		"PATH":                            "/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LANG":                            "en_US.UTF-8",
		"TZ":                              ":UTC",
		"_HANDLER":                        "bootstrap",
		"AWS_REGION":                      f.region,
		"AWS_DEFAULT_REGION":              f.region,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_FUNCTION_VERSION":     latest,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      logStream,
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"LAMBDA_TASK_ROOT":                filepath.Dir(f.Artifact),
		"LAMBDA_RUNTIME_DIR":              filepath.Dir(f.Artifact),
	}
	for name, value := range f.Environment {
		vars[name] = value
	}
	list := make([]string, 0, len(vars))
	for name, value := range vars {
		list = append(list, fmt.Sprintf("%s=%s", name, value))
	}
	slices.Sort(list)
	return list
}
