"""What is wrong with the options, the cluster and the rights, with the way out."""
