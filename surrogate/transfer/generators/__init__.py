"""Where do new points come from? One generator a file; what all share is in ``base.py``."""
