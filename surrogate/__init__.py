"""Learning from things that are expensive to ask: designs, durable runs, emulators, scenario discovery."""

import lazy_loader as _lazy

# The public names stand once, in __init__.pyi; each loads the module that defines it on first use.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__version__ = "0.1.0"
