package settings

import (
	"strings"
	"testing"
	"time"
)

// A key of the file or the environment is somebody's choice as a flag is: on a capture file it is not overruled.
func TestCaptureFilesKeepWhatTheFileSays(t *testing.T) {
	offline := []string{"--inside", "pcap:a", "--outside", "pcap:b", "--relay-tls", "on"}
	_, cfg, err := loadText(t, oneChain+"max-delay: 3s\nadmin: 127.0.0.1:1\n", map[string]string{"GRANULE_WORKER_TIMEOUT": "2s"}, offline...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cfg.Dataplane; d.MaxDelay != 3*time.Second || d.WorkerTimeout != 2*time.Second || cfg.Admin.Address != "127.0.0.1:1" {
		t.Errorf("max-delay %v, worker-timeout %v, admin %q; expected 3s of the file, 2s of the environment, 127.0.0.1:1 of the file", d.MaxDelay, d.WorkerTimeout, cfg.Admin.Address)
	}
}

func TestImpossibleNumbersAreRefused(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"--slots=-5", "slots: -5"},
		{"--slots=9999999", "slots: 9999999"},
		{"--worker-join=0s", "worker-join: 0s"},
		{"--workers=128", "choose at most 128 a stage"}, // one stands by
		{"--workers=4096", "a shard can be connected to 256"},
		{"--standby=9223372036854775807", "a shard can be connected to 256"},
		{"--flow-idle=-1s", "flow-idle: -1s"},
		{"--flush-after=3s", "flush-after: 3s"},
	} {
		if _, _, err := loadText(t, oneChain, nil, tt.arg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; expected an error with %q", tt.arg, err, tt.want)
		}
	}
}

// A fleet that can't work is refused before a port is touched.
func TestFleetIsChecked(t *testing.T) {
	for _, tt := range []struct {
		cfg  Fleet
		want string
	}{
		{Fleet{Listen: "nowhere", TLS: true}, "expected host:port"},
		{Fleet{Listen: "10.0.0.1:0"}, "in the clear"},
		{Fleet{Listen: "127.0.0.1:0", TLS: true, Remote: true}, "can't dial"},
		{Fleet{Listen: "127.0.0.1:0", TLS: true, Bootstrap: "/no/such"}, "make build"},
		{Fleet{Listen: "127.0.0.1:0", TLS: true, Remote: true, Advertise: []string{"10.0.0.1:1"}}, ""},
	} {
		t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "")
		err := tt.cfg.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v; expected %q", tt.cfg, err, tt.want)
		}
	}
}
