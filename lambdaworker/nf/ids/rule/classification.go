package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// Class is one line of classification.config.
type Class struct {
	Description string
	Priority    int
}

// Classes reads a classification.config: lines of the form "config classification: name,description,priority". A bad line
// is told to warn and left out.
func Classes(text string, warn func(line int, message string)) map[string]Class {
	out := map[string]Class{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rest, ok := strings.CutPrefix(line, "config classification:")
		f := strings.Split(rest, ",")
		if !ok || len(f) != 3 {
			warn(i+1, fmt.Sprintf("%q is not of the form: config classification: name,description,priority", line))
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(f[2]))
		if err != nil || n < 1 || n > 255 {
			warn(i+1, fmt.Sprintf("priority %q is no number from 1 to 255", f[2]))
			continue
		}
		out[strings.TrimSpace(f[0])] = Class{Description: strings.TrimSpace(f[1]), Priority: n}
	}
	return out
}

// DefaultClasses are the classes that Suricata's own classification.config defines.
func DefaultClasses() map[string]Class {
	out := map[string]Class{}
	for priority, classes := range defaultClasses {
		for name, description := range classes {
			out[name] = Class{description, priority}
		}
	}
	return out
}

var defaultClasses = map[int]map[string]string{
	1: {
		"attempted-user": "Attempted User Privilege Gain", "unsuccessful-user": "Unsuccessful User Privilege Gain",
		"successful-user": "Successful User Privilege Gain", "attempted-admin": "Attempted Administrator Privilege Gain",
		"successful-admin": "Successful Administrator Privilege Gain", "shellcode-detect": "Executable code was detected",
		"trojan-activity": "A Network Trojan was detected", "web-application-attack": "Web Application Attack",
		"policy-violation": "Potential Corporate Privacy Violation", "inappropriate-content": "Inappropriate Content was Detected",
		"targeted-activity": "Targeted Malicious Activity was Detected", "exploit-kit": "Exploit Kit Activity Detected",
		"domain-c2": "Domain Observed Used for C2 Detected", "credential-theft": "Successful Credential Theft Detected",
		"command-and-control": "Malware Command and Control Activity Detected",
	},
	2: {
		"bad-unknown": "Potentially Bad Traffic", "attempted-recon": "Attempted Information Leak", "successful-recon-limited": "Information Leak",
		"successful-recon-largescale": "Large Scale Information Leak", "attempted-dos": "Attempted Denial of Service",
		"successful-dos": "Denial of Service", "rpc-portmap-decode": "Decode of an RPC Query",
		"suspicious-filename-detect": "A suspicious filename was detected", "suspicious-login": "An attempted login using a suspicious username was detected",
		"system-call-detect": "A system call was detected", "unusual-client-port-connection": "A client was using an unusual port",
		"denial-of-service": "Detection of a Denial of Service Attack", "non-standard-protocol": "Detection of a non-standard protocol or event",
		"web-application-activity": "access to a potentially vulnerable web application", "misc-attack": "Misc Attack",
		"default-login-attempt": "Attempt to login by a default username and password", "external-ip-check": "Device Retrieving External IP Address Detected",
		"pup-activity": "Possibly Unwanted Program Detected", "social-engineering": "Possible Social Engineering Attempted",
		"coin-mining": "Crypto Currency Mining Activity Detected",
	},
	3: {
		"not-suspicious": "Not Suspicious Traffic", "unknown": "Unknown Traffic", "string-detect": "A suspicious string was detected",
		"tcp-connection": "A TCP connection was detected", "network-scan": "Detection of a Network Scan",
		"protocol-command-decode": "Generic Protocol Command Decode", "misc-activity": "Misc activity", "icmp-event": "Generic ICMP event",
	},
}
