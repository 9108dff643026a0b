"""The former place of `lab.containernet`, which scripts import by this name.

The module object itself is replaced, so that both names give the same classes, and submodules too.
"""

from __future__ import annotations

import sys
from importlib import import_module

sys.modules[__name__] = import_module("lab.containernet")
