"""Makes what is generated of the Helm chart: values, their schema, the README, rights, the CRD."""
