"""The auditor's pack as a call: a zip archive, streamed as it is made."""

from collections.abc import Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.problems import Problem
from api.query.bounds import Exports
from api.query.desk import Call, Gone
from api.query.formats import RECEIPT
from api.query.openapi import Route, shape_of
from api.query.parameters import from_query, read
from api.query.whose import of_a_tenant
from ledger.engine import Engine
from ledger.note import verifiers_of
from ledger.pack.asked import PackAsked
from ledger.pack.making import Making, NobodyNamed, make_pack
from ledger.prove import Tampered, Unprovable
from runtime.reading import reader
from settings import Settings

PATH = "/ledger/pack"
_ZIP = "application/zip"
_WORDS = (
    "Rows, proofs, checkpoints, control totals and a verifier that needs only Python's standard library: one archive that "
    "can be checked by whoever has nothing else. docs/pack.md tells what is in it and what it shows."
)


class Packs:
    """Makes them, for calls and for the console."""

    def __init__(self, settings: Settings, engine: Engine, exports: Exports) -> None:
        self._settings = settings
        self._engine = engine
        self._exports = exports

    def routes(self) -> Iterator[Route]:
        """By GET; and by POST, for those whose proxies keep the addresses that were asked for."""
        shape = shape_of(PackAsked, optional="tenant")
        for method in ("GET", "POST"):
            yield Route(
                method, PATH, "pack", "An auditor's pack", "auditor", self._handler, shape, (_ZIP,), _WORDS
            )

    async def _handler(self, call: Call) -> Response:
        given = dict(from_query(call.request.query_params) if call.body is None else call.body)
        asked = read(PackAsked, of_a_tenant(given, call.principal, self._settings.tenants))
        return self.packed(asked, call.principal.actor)

    def packed(self, asked: PackAsked, actor: str) -> Response:
        """The archive, made when it is sent. Raises Problem 409 if there is no key to prove anything with."""
        keys = verifiers_of(self._settings.ledger.seal)
        if not keys:
            raise Problem(
                409, "no_key", "This listener is given no key of [ledger.seal]: nothing can be proved."
            )
        return _Packed(Making(self._settings.store, self._engine, asked, reader(actor), keys), self._exports)


class _Packed(Response):
    """What goes wrong before the first byte is a problem; later it ends the archive before its directory, which is its end."""

    def __init__(self, making: Making, exports: Exports) -> None:
        super().__init__(None, 200, {RECEIPT: str(making.receipt)}, _ZIP)
        del self.headers["content-length"]
        self.headers["content-disposition"] = f'attachment; filename="{making.asked.tenant}-pack.zip"'
        self._making = making
        self._exports = exports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - of ASGI
        begun = False

        async def write(data: bytes) -> None:
            nonlocal begun
            try:
                if not begun:
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    begun = True
                await send({"type": "http.response.body", "body": data, "more_body": True})
            except OSError:
                raise Gone from None

        with self._exports.held():
            try:
                await make_pack(self._making, write)
            except NobodyNamed as wrong:
                raise Problem(404, "nobody", f"{wrong}.") from None
            except Tampered as wrong:
                raise Problem(409, "does_not_fit", f"{wrong}.") from None
            except Unprovable as wrong:
                raise Problem(409, "unprovable", f"{wrong}.") from None
        # Only now, when the ledger has taken down that all was read, is the answer whole.
        await send({"type": "http.response.body", "body": b"", "more_body": False})
