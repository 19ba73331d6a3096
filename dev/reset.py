"""`make reset`: removes .hookledger/ with all that the embedded stack keeps, wherever its data is."""

import shutil
import sys

from dev import cluster, home, postgres
from dev.processes import StackError
from dev.stack import ROOT


def main() -> int:
    """Exit code 2, with the reason, while `make dev` runs."""
    directory = ROOT / ".hookledger"
    try:
        with home.occupied(directory):
            home.end_leftovers(directory)
            postgres.end_leftover(directory)
            cluster.remove(directory)
            shutil.rmtree(directory)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
