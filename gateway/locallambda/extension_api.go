package locallambda

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
)

// registerExtension is how a runtime asks for SIGTERM (aws-lambda-go's WithEnableSIGTERM registers an internal extension
// without events). Extensions that want INVOKE or SHUTDOWN events are not run here, and told so.
func (e *environment) registerExtension(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&request); err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidBody", err.Error())
		return
	}
	if len(request.Events) > 0 {
		runtimeError(w, http.StatusForbidden, "Extension.InvalidEventType", "extension events are not delivered here: register for none")
		return
	}
	e.mu.Lock()
	if e.extension == "" {
		e.extension = rand.Text()
	}
	id := e.extension
	e.mu.Unlock()
	w.Header().Set("Lambda-Extension-Identifier", id)
	w.Header().Set("Content-Type", "application/json")
	body, _ := json.Marshal(map[string]string{ // strings always encode
		"functionName": e.fn.Name, "functionVersion": latest, "handler": "bootstrap",
	})
	_, _ = w.Write(body)
}

// nextExtensionEvent never has one: it blocks until the process or the service ends.
func (e *environment) nextExtensionEvent(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	known := e.extension != "" && r.Header.Get("Lambda-Extension-Identifier") == e.extension
	e.mu.Unlock()
	if !known {
		runtimeError(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "register first")
		return
	}
	<-r.Context().Done()
}
