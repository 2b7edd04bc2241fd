"""The project beside its peers, as ratios of the CPU time both take for the same work."""
