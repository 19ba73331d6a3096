"""A ledger that somebody has sealed and verified, for pages that tell of it."""

from ledger.access import record_access
from ledger.engine import Engine
from ledger.note import Signer

SIGNER = Signer("example.com/console", bytes(range(32)))


async def verified(engine: Engine, outcome: str, size: int, findings: int, tenant: str = "as100") -> None:
    """Enters that somebody has verified so many entries."""
    detail = {"question": "verify", "rows": size, "size": size, "findings": findings}
    async with engine.begin() as connection:
        await record_access(
            connection, tenant=tenant, actor="os:auditor", code_version="test", outcome=outcome, people=(), detail=detail
        )  # fmt: skip
