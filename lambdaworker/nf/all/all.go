// Package all makes every network function known to package nf. Import it for effect.
package all
