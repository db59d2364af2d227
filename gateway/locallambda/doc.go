// Package locallambda is an embedded Lambda service.
package locallambda
