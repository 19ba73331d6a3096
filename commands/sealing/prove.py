"""`ledger prove`: the proof that an entry is sealed, or that the ledger has only grown since a checkpoint."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import typer

from commands.ending import stop
from commands.output import as_json
from commands.sealing.keys import kept_in, keys_of
from ledger.engine import StoreErrors, connect_to_read
from ledger.prove import Consistency, Inclusion, Tampered, Unprovable, prove_consistency, prove_inclusion
from ledger.visit import why
from settings import Settings


def run(settings: Settings, entry: int | None, since: Path | None, *, as_object: bool) -> None:
    """Prints the proof. Raises typer.Exit: 1 what is stored does not give it, 2 there is none."""
    if (entry is None) is (since is None):
        stop("give the id of an entry, or --since FILE: one of them")
    old = kept_in(since, keys_of(settings)) if since else None

    async def prove(connection: Any) -> Inclusion | Consistency:
        if old:
            return await prove_consistency(connection, old)
        return await prove_inclusion(connection, entry or 0, settings.ledger.legal_floor)

    async def connected() -> Inclusion | Consistency:
        connection = await connect_to_read(settings.store, "hookledger prove", by_key=True)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await prove(connection)
        finally:
            await connection.close()

    try:
        proof = asyncio.run(connected())
    except Tampered as wrong:
        typer.secho(str(wrong), err=True, fg="red")
        raise typer.Exit(1) from None
    except Unprovable as wrong:
        stop(str(wrong))
    except StoreErrors as wrong:
        stop(f"the store {why(wrong)}")
    if isinstance(proof, Inclusion) and proof.leaf is None:
        words = (
            f"the entry was dropped by retention: this proves the leaf whose SHA-256 is {proof.hash.hex()}"
        )
        typer.secho(words, err=True, fg="yellow")
    if as_object:
        print(as_json(_object(proof)))
    else:
        typer.echo(proof.text(), nl=False)


def _object(proof: Inclusion | Consistency) -> dict[str, Any]:
    hashes = [base64.b64encode(h).decode() for h in proof.hashes]
    if isinstance(proof, Consistency):
        return {"old": proof.old, "hashes": hashes, "checkpoint": proof.note}
    return {
        "entry": proof.entry,
        "index": proof.number,
        "leaf": None if proof.leaf is None else proof.leaf.decode(),
        "hash": base64.b64encode(proof.hash).decode(),
        "hashes": hashes,
        "checkpoint": proof.note,
    }
