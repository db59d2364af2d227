package locallambda

import "testing"

func TestHost(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	for _, c := range []struct {
		name   string
		remote Remote
		env    string
		want   string
	}{
		{"AWS", Remote{Region: "eu-central-1"}, "", "lambda.eu-central-1.amazonaws.com"},
		{"another endpoint", Remote{Region: "eu-central-1", Endpoint: "http://192.0.2.1:4566"}, "http://192.0.2.2:1", "192.0.2.1:4566"},
		{"of the environment", Remote{Region: "eu-central-1"}, "https://[2001:db8::1]", "[2001:db8::1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL_LAMBDA", c.env)
			if got, err := c.remote.Host(t.Context()); err != nil || got != c.want {
				t.Errorf("%q, %v; expected %q", got, err, c.want)
			}
		})
	}
}
