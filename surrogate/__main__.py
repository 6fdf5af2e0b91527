"""``python -m surrogate`` is the ``surrogate`` command."""

import sys

from surrogate.cli import main

if __name__ == "__main__":
    sys.exit(main())
