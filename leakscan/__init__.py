"""Plays a story full of sentinels, then looks for them in every byte that the system left behind."""
