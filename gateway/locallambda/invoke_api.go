package locallambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// invokeAPI is what callers talk to: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
func (s *Service) invokeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", s.invoke)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-RequestId", newRequestID())
		(&apiError{http.StatusNotFound, "UnknownOperationException", "User",
			"the local Lambda service answers POST /2015-03-31/functions/NAME/invocations alone, not " + r.Method + " " + r.URL.Path, ""}).write(w)
	})
	return mux
}

func (s *Service) invoke(w http.ResponseWriter, r *http.Request) {
	inv, refused := s.readInvocation(w, r)
	if inv != nil {
		w.Header().Set("X-Amzn-RequestId", inv.id)
	} else {
		w.Header().Set("X-Amzn-RequestId", newRequestID())
	}
	if refused != nil {
		refused.write(w)
		return
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "DryRun":
		w.Header().Set("X-Amz-Executed-Version", latest)
		w.WriteHeader(http.StatusNoContent)
	case "Event":
		if refused := s.enqueue(inv); refused != nil {
			refused.write(w)
			return
		}
		w.Header().Set("X-Amz-Executed-Version", latest)
		w.WriteHeader(http.StatusAccepted)
	default: // RequestResponse
		if refused := s.accept(inv); refused != nil {
			refused.write(w)
			return
		}
		select {
		case out := <-inv.answer:
			writeOutcome(w, out, r.Header.Get("X-Amz-Log-Type") == "Tail")
		case <-r.Context().Done(): // the caller has gone; the function runs on, as on the platform
		}
	}
}

func writeOutcome(w http.ResponseWriter, out outcome, tail bool) {
	if out.refused != nil {
		out.refused.write(w)
		return
	}
	h := w.Header()
	h.Set("X-Amz-Executed-Version", latest)
	h.Set("Content-Type", "application/json")
	if out.functionError {
		h.Set("X-Amz-Function-Error", "Unhandled")
	}
	if tail {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(out.log))
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(out.body)
}

// readInvocation checks everything about a request that needs no environment.
func (s *Service) readInvocation(w http.ResponseWriter, r *http.Request) (*invocation, *apiError) {
	asked := r.PathValue("name")
	name, qualifier, ok := splitFunctionName(asked)
	if !ok {
		return nil, errParameter("Value %q at 'functionName': expected a name, a partial ARN or an ARN", asked)
	}
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		if qualifier != "" && qualifier != q {
			return nil, errParameter("The derived qualifier from the function name does not match the specified qualifier.")
		}
		qualifier = q
	}
	fn := s.functions[name]
	if fn == nil || (qualifier != "" && qualifier != latest) {
		missing := (&function{Function: Function{Name: name}, region: s.cfg.Region, account: s.cfg.Account}).arn()
		if qualifier != "" {
			missing += ":" + qualifier
		}
		return nil, errNotFound(missing)
	}

	limit := MaxPayload
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse", "DryRun":
	case "Event":
		limit = MaxEventPayload
	default:
		return nil, errParameter("Value %q at 'invocationType': expected Event, RequestResponse or DryRun", kind)
	}
	switch kind := r.Header.Get("X-Amz-Log-Type"); kind {
	case "", "None", "Tail":
	default:
		return nil, errParameter("Value %q at 'logType': expected None or Tail", kind)
	}

	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge(limit)
	case err != nil:
		return nil, errService("reading the request: %v", err)
	}
	if len(strings.TrimSpace(string(payload))) == 0 {
		payload = []byte("{}")
	}
	var syntax json.RawMessage
	if err := json.Unmarshal(payload, &syntax); err != nil {
		return nil, errNotJSON(err)
	}

	inv := newInvocation(fn, payload)
	if encoded := r.Header.Get("X-Amz-Client-Context"); encoded != "" {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !json.Valid(decoded) || strings.ContainsAny(string(decoded), "\r\n") {
			return nil, errParameter("Client context must be a valid Base64-encoded JSON object on one line.")
		}
		inv.clientContext = string(decoded)
	}
	return inv, nil
}
