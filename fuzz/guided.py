"""`python -m fuzz.guided TARGET OPTION…`: one process of libFuzzer, guided by which of our code an input reaches."""

import importlib
import logging
import sys
from typing import Any

_OURS = ["activities", "api", "hooks", "ledger", "rules", "runtime"]


def main() -> None:
    """Grows inputs until libFuzzer's own options say stop; ends with 77 and a file when one goes wrong."""
    target = sys.argv.pop(1)
    # Merging starts this program again for each part of the inputs, by this name, in a shell.
    sys.argv[0] = f"{sys.executable} -m fuzz.guided {target}"
    # Not everywhere to be had (see growing.py), so not to be found by the type checker everywhere.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=_OURS):
        module = importlib.import_module(f"fuzz.{target}")
    # What goes wrong shows as an exception; a line for each of a million calls would hide it.
    logging.disable(logging.CRITICAL)
    atheris.Setup(sys.argv, module.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
