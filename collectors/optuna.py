"""The name of `runledger.studies` in 0.1, kept for programs that import it by that name."""

import sys
from importlib import import_module

sys.modules[__name__] = import_module("runledger.studies")
