package gatewaytest

// AcceptAll is a configuration of one chain whose firewall reads edge.nft.
const AcceptAll = `chains:
  - name: edge
    stages:
      - - firewall: {rules: edge.nft}
`

// AcceptRules is an edge.nft that accepts everything.
const AcceptRules = `table inet filter {
  chain forward {
    type filter hook forward priority 0; policy accept;
    ip protocol tcp counter
  }
}
`
