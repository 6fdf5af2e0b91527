"""Where next? Optimisation of simulators: ask and tell, constraints, several objectives, levels, when to stop."""
