"""Where hooks are kept while the store is away: `[spool]` (DESIGN §6)."""

from typing import Annotated

from pydantic import Field

from settings.long_key import LongKey
from settings.references import Folder
from settings.table import Table


class Spool(Table):
    """`folder`, on a local disk that outlives the process, is relative to this file; without one there is no spool.

    The first of `keys` seals, all open; without any, the key is derived from `fingerprint_key`. `max_bytes` bounds
    what all apis of the host keep together, and as much of what is set aside.
    """

    folder: Folder | None = None
    keys: tuple[LongKey, ...] = ()
    max_bytes: Annotated[int, Field(ge=1_048_576)] = 1_073_741_824
