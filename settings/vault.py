"""Where the keys of sealed passwords are kept, outside the store: `[vault]` (DESIGN §7)."""

from settings.long_key import LongKey
from settings.references import Folder
from settings.table import Table


class Vault(Table):
    """`folder`, which api and worker share, is relative to this file; without one no password is kept.

    The first of `keys` wraps the files in it, all open them; without any, the key is derived from `fingerprint_key`.
    """

    folder: Folder | None = None
    keys: tuple[LongKey, ...] = ()
