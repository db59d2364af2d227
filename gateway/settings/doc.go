// Package settings turns flags, the environment and granule.yaml into one checked struct, Gateway. What is wrong is told all at once, each problem
// with its place: the flag, the variable, or file, line and column.
//
// Every setting is a flag; the key of the same name in granule.yaml and the environment variable GRANULE_ plus the name in capitals set it too. The
// flag wins over the environment, the environment over the file. So a new setting is one line: the flag, in run.go.
package settings
