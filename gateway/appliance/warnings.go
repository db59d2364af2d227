package appliance

import (
	"log/slog"

	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/nic"
)

// warnLeftOut logs the rules that a configuration leaves out, once a file.
func (a *Appliance) warnLeftOut(p *settings.Plan) {
	for _, l := range p.LeftOut {
		a.log.Warn("rules are left out", "file", l.File, "rules", l.Rules, "first", l.First.Error())
	}
}

// warnOfMachine logs what `granule doctor` would warn of before the ports of x are opened.
func warnOfMachine(x afxdp.WireConfig, log *slog.Logger) {
	for _, c := range afxdp.Doctor(x) {
		if c.State == nic.Warn {
			log.Warn("doctor: "+c.Name, "subject", c.Subject, "found", c.Found, "expected", c.Expected, "fix", c.Mend)
		}
	}
}
