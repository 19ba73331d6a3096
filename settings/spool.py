"""Where hooks are kept while the store is away: `[spool]` (DESIGN §6)."""

from typing import Annotated

from pydantic import Field

from settings.long_key import LongKey
from settings.mistakes import TableError
from settings.references import Folder
from settings.table import Table

LONGEST = 16 * 1024 * 1024
"""Octets of one record."""
MOST_BODY = LONGEST // 8
"""Octets of a body whose record is never longer: written anew, `1e15,` grows to 19 octets, and what is planned comes to it."""


class Spool(Table):
    """`folder`, on a local disk that outlives the process, is relative to this file; without one there is no spool.

    The first of `keys` seals, all open; without any, the key is derived from `fingerprint_key`. `max_bytes` bounds
    what all apis of the host keep together, and as much of what is set aside.
    """

    folder: Folder | None = None
    keys: tuple[LongKey, ...] = ()
    max_bytes: Annotated[int, Field(ge=1_048_576)] = 1_073_741_824

    def check_carries(self, max_body: int) -> None:
        """Raises TableError where a body may be larger than the spool can keep."""
        if self.folder is not None and max_body > MOST_BODY:
            words = f"cannot keep a body of more than {MOST_BODY} bytes: set api.max_body to that at most"
            raise TableError((("folder",), words))
