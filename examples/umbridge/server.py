"""Serves the airfoil of this package as a UM-Bridge model, on this machine only, until Ctrl-C."""

from __future__ import annotations

import sys

import surrogate as sg

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 4242
    print(f"serving 'airfoil' at http://127.0.0.1:{port}", flush=True)
    sg.serve_umbridge(sg.load_simulator("airfoil"), port)
