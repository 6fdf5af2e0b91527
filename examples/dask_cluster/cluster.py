"""Run a design on a Dask cluster, lose a worker half-way, and keep every run.

python cluster.py                          # a scheduler and two workers on this machine
python cluster.py tcp://scheduler:8786     # your own cluster (surrogate-learn installed on it)
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from distributed import Client, LocalCluster

import surrogate as sg

STORE = Path("smart_grid.db")


def kill_one(pid: int) -> None:
    """Kill a worker when the study is under way, as a node that fails would."""
    while not STORE.exists() or sg.RunStore(STORE).is_empty or len(sg.RunStore(STORE).runs()) < 200:
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    print(f"killed worker process {pid}")


def main() -> None:
    """Run 1,000 points, tell what happened."""
    smart_grid = sg.load_simulator("smart_grid")
    design = sg.sobol(smart_grid.space, 1024, rng=0)
    own = len(sys.argv) == 1
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) if own else sys.argv[1]
    with Client(cluster) as client:
        if own:
            pids = client.run(os.getpid)
            threading.Thread(target=kill_one, args=(min(pids.values()),), daemon=True).start()
        runs = sg.run(smart_grid, design, executor=client.get_executor(), store=STORE, timeout=30, retries=1)
    if own:
        cluster.close()
    print(runs)
    print(runs.health())


if __name__ == "__main__":
    main()
