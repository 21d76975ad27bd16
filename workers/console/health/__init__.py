"""Whether everything is well: cameras, pipeline, disk, ledger, networks."""
