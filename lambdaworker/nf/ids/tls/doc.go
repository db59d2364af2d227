// Package tls reads the handshakes of TLS 1.0 to 1.3 (and SSL 3.0) as far as they are in the clear: ClientHello,
// ServerHello, Certificate. A flow is one transaction. Inspection of a direction ends with its first encrypted record.
package tls
