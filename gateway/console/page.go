package console

import (
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// page is the status page: the same Status as everything else, for people without a terminal. It reloads itself; there is no script.
func (v *views) page(w http.ResponseWriter, r *http.Request) {
	p := v.get(r.Context())
	if p == nil {
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pageTemplate.Execute(w, p.status) // the client is gone if this fails
}
