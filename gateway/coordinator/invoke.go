package coordinator

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// Invoker is the one call of the Lambda client that the coordinator makes.
type Invoker interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Invoke runs function with payload and returns when it has ended. RequestResponse: throttling shows at once, and the
// answer marks the worker's end. Errors are sorted into ErrThrottled, ErrFatal and others, which are worth another try.
func Invoke(ctx context.Context, client Invoker, function string, payload []byte) error {
	out, err := client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName:   aws.String(function),
		InvocationType: types.InvocationTypeRequestResponse,
		LogType:        types.LogTypeTail,
		Payload:        payload,
	})
	if err != nil {
		return sortError(function, err)
	}
	if out.FunctionError != nil {
		return fmt.Errorf("function %s: %s: %s; its last words: %s", function, *out.FunctionError, out.Payload, lastWords(out.LogResult))
	}
	return nil
}

// lastWords returns the end of the log that Lambda sends along, base64 coded, as one short line.
func lastWords(log *string) string {
	text, err := base64.StdEncoding.DecodeString(aws.ToString(log))
	if err != nil || len(text) == 0 {
		return "none"
	}
	return strings.Join(strings.Fields(string(text[max(0, len(text)-400):])), " ")
}

// fatal are the errors that come again until somebody changes something.
var fatal = map[string]string{
	"ResourceNotFoundException":            "deploy the function or correct its name",
	"AccessDeniedException":                "allow lambda:InvokeFunction on the function",
	"SubnetIPAddressLimitReachedException": "give the function's subnets more addresses",
	"ENILimitReachedException":             "raise the account's limit of network interfaces",
	"EC2AccessDeniedException":             "correct the function's execution role",
	"InvalidSubnetIDException":             "correct the function's subnets",
	"InvalidSecurityGroupIDException":      "correct the function's security groups",
	"RequestTooLargeException":             "make the rule files smaller",
	"UnrecognizedClientException":          "correct the credentials",
	"InvalidSignatureException":            "correct the credentials or the clock",
	"InvalidRequestContentException":       "this is a fault of the gateway",
}

func sortError(function string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	switch code := api.ErrorCode(); {
	case code == "TooManyRequestsException" || code == "EC2ThrottledException":
		return fmt.Errorf("invoke %s: %w: %s", function, ErrThrottled, api.ErrorMessage())
	case fatal[code] != "":
		return fmt.Errorf("invoke %s: %s: %s; %w: %s", function, code, api.ErrorMessage(), ErrFatal, fatal[code])
	}
	return fmt.Errorf("invoke %s: %w", function, err)
}
