"""Learning from things that are expensive to ask: designs, durable runs, emulators, scenario discovery."""

from typing import Any as _Any

import lazy_loader as _lazy

# The public names stand once, in __init__.pyi; each loads the module that defines it on first use.
_load, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__version__ = "0.1.0"


def __getattr__(name: str) -> _Any:
    if name in __all__ or name.startswith("_"):
        return _load(name)
    import difflib

    near = difflib.get_close_matches(name, __all__, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "dir(surrogate) lists what there is"
    raise AttributeError(f"surrogate has no {name!r}; {hint}")
