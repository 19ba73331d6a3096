"""What all tables share: their metadata, and the columns that most of them have."""

from sqlalchemy import Column, DateTime, MetaData, Text, Uuid

metadata = MetaData()


def uuid_(name: str, *, key: bool = False, null: bool = False) -> Column[object]:
    """An id of 128 bits."""
    return Column(name, Uuid, primary_key=key, nullable=null and not key)


def text_(name: str, *, key: bool = False, null: bool = False, default: str | None = None) -> Column[str]:
    """Text of any length."""
    return Column(name, Text, primary_key=key, nullable=null and not key, server_default=default)


def time_(name: str, *, null: bool = False) -> Column[object]:
    """A moment."""
    return Column(name, DateTime(timezone=True), nullable=null)
