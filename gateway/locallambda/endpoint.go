package locallambda

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Host is the host, and the port where the URL has one, that a client of r calls: of AWS's own endpoint for its region,
// or of the one that r or the environment names. Nothing is called; a name is not looked up.
func (r Remote) Host(ctx context.Context) (string, error) {
	c, err := NewRemoteClient(ctx, r)
	if err != nil {
		return "", err
	}
	o := c.Options()
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, lambda.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint})
	if err != nil {
		return "", fmt.Errorf("endpoint of Lambda in region %s: %w", o.Region, err)
	}
	return e.URI.Host, nil
}
