"""Hooks that were answered while the store was away: sealed on disk, in order, until they can be recorded (DESIGN §6)."""

from runtime.spool.journal import Figures, Journal, NoRoom
from runtime.spool.opening import keep_open, open_spool
from runtime.spool.spool import Spool

__all__ = ["Figures", "Journal", "NoRoom", "Spool", "keep_open", "open_spool"]
