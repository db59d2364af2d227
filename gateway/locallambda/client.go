package locallambda

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Client returns the SDK's own client, connected to this service inside the process. It makes one attempt: a retry after a
// lost response would start a second worker. Its credentials are dummies, the service checks none.
func (s *Service) Client() *lambda.Client {
	return lambda.New(lambda.Options{
		Region:           s.cfg.Region,
		BaseEndpoint:     aws.String("http://lambda.in-process.invalid"), // never resolved
		HTTPClient:       &http.Client{Transport: s},
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "LOCAL", SecretAccessKey: "local", Source: "locallambda"}, nil
		}),
	})
}

// Remote says where another Lambda is. All fields may be empty: the SDK then takes the environment
// (AWS_ENDPOINT_URL_LAMBDA, AWS_REGION, AWS_PROFILE, ...), its shared configuration or the machine's role.
type Remote struct {
	Endpoint string // URL; wins over AWS_ENDPOINT_URL_LAMBDA
	Region   string
	Profile  string
}

// NewRemoteClient returns a client for AWS, or for another emulator. A synchronous invocation lasts as long as its worker,
// up to 15 minutes, with nothing on the connection: so there is no client timeout (one under 905 s would cut workers off),
// and TCP keep-alives run every 15 s, because NAT gateways and interface endpoints forget an idle flow after 350 s. One
// attempt, as with Client.
func NewRemoteClient(ctx context.Context, r Remote) (*lambda.Client, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRetryMaxAttempts(1),
		config.WithHTTPClient(remoteHTTPClient()),
	}
	if r.Region != "" {
		options = append(options, config.WithRegion(r.Region))
	}
	if r.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(r.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, fmt.Errorf("AWS configuration: no region is set: give one, or set AWS_REGION")
	}
	return lambda.NewFromConfig(cfg, func(o *lambda.Options) {
		if r.Endpoint != "" {
			o.BaseEndpoint = aws.String(r.Endpoint)
		}
	}), nil
}

func remoteHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) {
		d.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}
	})
}
