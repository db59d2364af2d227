// Package rule reads Suricata rule files: what a person wrote becomes typed rules, or problems with file, line, column
// and the keyword that is the cause.
//
// The package knows the language, not packets. A keyword it doesn't know makes the rule unusable, never different: the
// rule is left out and listed.
package rule
