// The prometheus-operator's CRDs, which the chart's monitors and rule are held against. Nothing of it
// is built: `go mod download` brings its source, by the checksums in go.sum.
module batchtask.dev/envtest/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
