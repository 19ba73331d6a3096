"""Passwords that wait for the activity that needs them: sealed under keys of an hour, which are destroyed (DESIGN §7)."""

from runtime.vault.epoch import Epoch
from runtime.vault.folder import Folder
from runtime.vault.opening import open_folder, open_vault
from runtime.vault.vault import EpochKeys, Vault, epoch_of

__all__ = ["Epoch", "EpochKeys", "Folder", "Vault", "epoch_of", "open_folder", "open_vault"]
