// Package console is how people and scripts see a running gateway: status, metrics, health, the status page, profiles, and
// the event log. All of it is read from one Status, so that no two views disagree.
package console
