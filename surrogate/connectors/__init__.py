"""Simulators that are not Python functions: programs, servers that speak UM-Bridge, FMUs."""
