package locallambda

import (
	"fmt"
	"strings"
)

// latest is the only version that a function has here.
const latest = "$LATEST"

// splitFunctionName takes apart what may stand in an Invoke path: "name", "name:qualifier", "account:function:name" or a
// whole ARN "arn:aws:lambda:region:account:function:name", either with a qualifier at its end. The account and the region
// are not compared: this service answers for whatever it is called.
func splitFunctionName(s string) (name, qualifier string, ok bool) {
	parts := strings.Split(s, ":")
	switch {
	case len(parts) >= 7 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function":
		parts = parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		parts = parts[2:]
	}
	switch len(parts) {
	case 1:
		name = parts[0]
	case 2:
		name, qualifier = parts[0], parts[1]
		if qualifier == "" {
			return "", "", false
		}
	default:
		return "", "", false
	}
	return name, qualifier, functionName.MatchString(name)
}

// arn is the function's address as the platform would write it.
func (f *function) arn() string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", f.region, f.account, f.Name)
}
