"""Ready-made simulators, one file or folder each; they know ``surrogate.space`` and ``surrogate.simulation`` only."""
