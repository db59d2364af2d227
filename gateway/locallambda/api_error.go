package locallambda

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// apiError is a refusal by the service itself, before or instead of the function: the caller's SDK turns it into the
// exception named by kind.
type apiError struct {
	status  int
	kind    string // X-Amzn-ErrorType
	blame   string // "User" or "Service"
	message string
	reason  string // throttling only
}

func (e *apiError) Error() string { return e.kind + ": " + e.message }

func errNotFound(arn string) *apiError {
	return &apiError{http.StatusNotFound, "ResourceNotFoundException", "User", "Function not found: " + arn, ""}
}

func errThrottled(reason string) *apiError {
	return &apiError{http.StatusTooManyRequests, "TooManyRequestsException", "User", "Rate Exceeded.", reason}
}

func errService(format string, args ...any) *apiError {
	return &apiError{http.StatusInternalServerError, "ServiceException", "Service", fmt.Sprintf(format, args...), ""}
}

func errTooLarge(limit int) *apiError {
	return &apiError{http.StatusRequestEntityTooLarge, "RequestTooLargeException", "User",
		fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit), ""}
}

func errNotJSON(err error) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidRequestContentException", "User",
		fmt.Sprintf("Could not parse request body into json: %v", err), ""}
}

func errParameter(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidParameterValueException", "User", fmt.Sprintf(format, args...), ""}
}

func (e *apiError) write(w http.ResponseWriter) {
	body := map[string]string{"Type": e.blame, "Message": e.message, "message": e.message}
	if e.reason != "" {
		body["Reason"] = e.reason
		w.Header().Set("Retry-After", "1")
	}
	// A map of strings always encodes.
	encoded, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", e.kind)
	w.WriteHeader(e.status)
	_, _ = w.Write(encoded)
}
