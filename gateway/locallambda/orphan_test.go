package locallambda

// runAsDoomedService reports whether this process was started to be killed by a test.
func runAsDoomedService() bool { return false }
