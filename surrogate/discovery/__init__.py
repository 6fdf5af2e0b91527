"""Where next, for a box? Runs are chosen where they decide most about it."""
