"""Every key that Hookledger works with: whose it is, where it comes from, how old it is, how to change it, what breaks."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.padding import Padding
from rich.text import Text

from commands.output import console, printable
from commands.times import ago
from runtime.vault import open_folder
from settings import Settings
from settings.referenced import Place, Source, sources


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of all keys of a kind. `rotate` is a command, or the part of docs/keys.md that says how."""

    kind: str
    owner: str
    rotate: str
    lost: str


@dataclass(frozen=True, slots=True)
class Line:
    """One key. `since` is when it was made or its file last changed, None where nobody knows; `source` never its value."""

    kind: str
    name: str
    tenant: str | None
    owner: str
    source: str
    there: bool
    since: datetime | None
    rotate: str
    lost: str


_HOST, _DBA, _PLATFORM = "operator of the host", "administrator of Postgres", "administrator of the platform"
KINDS: dict[Place, Kind] = {
    ("fingerprint_key",): Kind(
        "fingerprint", _HOST, "docs/keys.md#fingerprint", "pseudonyms of who acted are others from then on"
    ),
    ("store", "url"): Kind(
        "store", _DBA, "docs/keys.md#postgres", "events go to the spool, decisions are degraded"
    ),
    ("store", "owner_url"): Kind("store", _DBA, "docs/keys.md#postgres", "no migration, no rebuild"),
    ("store", "keeper_url"): Kind(
        "store", _DBA, "docs/keys.md#postgres", "nobody is erased, nothing is dropped"
    ),
    ("tenants", "*", "token", "keys", "#", "secret"): Kind(
        "webhook", _PLATFORM, "docs/keys.md#webhook", "every hook of the tenant is turned away"
    ),
    ("tenants", "*", "platform", "token"): Kind(
        "platform api", _PLATFORM, "docs/keys.md#platform-api", "no reconciliation; hooks are not touched"
    ),
    ("query", "oidc", "client_secret"): Kind(
        "oidc client",
        "administrator of the identity provider",
        "docs/keys.md#oidc-client",
        "nobody signs in to the console",
    ),
    ("ledger", "seal", "keys", "#", "secret"): Kind(
        "seal",
        "keeper of the evidence",
        "docs/keys.md#seal",
        "no new checkpoints; old ones verify by the public key",
    ),
    ("ledger", "holder", "token"): Kind(
        "holder",
        "keeper of the checkpoints",
        "docs/keys.md#tokens-of-others",
        "checkpoints are not kept elsewhere",
    ),
    ("ledger", "erasures", "token"): Kind(
        "erasure list",
        "keeper of the list",
        "docs/keys.md#tokens-of-others",
        "nobody is erased until it is back",
    ),
    ("spool", "keys", "#", "secret"): Kind(
        "spool", _HOST, "docs/keys.md#spool", "what waits in the spool is lost"
    ),
    ("vault", "keys", "#", "secret"): Kind(
        "vault wrapping", _HOST, "docs/keys.md#vault", "passwords that wait are lost"
    ),
    ("activities", "*", "*", "**"): Kind(
        "activity",
        "owner of the target system",
        "docs/keys.md#activities",
        "the activity fails and is tried again",
    ),
    ("api", "tls", "key"): Kind("tls", _HOST, "docs/keys.md#tls", "the platform cannot connect"),
    ("query", "tls", "key"): Kind("tls", _HOST, "docs/keys.md#tls", "nobody can ask over https"),
}
"""By field of the configuration; a test finds the field that is not here."""

_DERIVED = (
    ("pseudonyms", "actors, persons and repeats under a keyed hash"),
    ("token fingerprints", "tokens stand in records under a keyed hash"),
    ("cursor", "pages that were open end"),
)
_TEMPORAL = Kind(
    "temporal",
    "administrator of Temporal",
    "docs/keys.md#temporal",
    "work waits; hooks are answered and recorded",
)
_COLLECTOR = Kind(
    "collector",
    "administrator of the collector",
    "docs/keys.md#collector",
    "spans are dropped; nothing waits for them",
)
_OF_THE_ENVIRONMENT = {
    "TEMPORAL_API_KEY": _TEMPORAL,
    "TEMPORAL_TLS_CLIENT_KEY_DATA": _TEMPORAL,
    "TEMPORAL_TLS_CLIENT_KEY_PATH": _TEMPORAL,
    "OTEL_EXPORTER_OTLP_HEADERS": _COLLECTOR,
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": _COLLECTOR,
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": _COLLECTOR,
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": _COLLECTOR,
}
"""Keys that libraries read from the environment themselves: the configuration names none of them."""


def every_key(settings: Settings, tenant: str | None = None) -> list[Line]:
    """All but those in the store. With a tenant, only its own. Raises ConfigError."""
    configured = [_configured(source) for source in sources()]
    if tenant is not None:
        return [line for line in configured if line.tenant == tenant]
    return [*configured, *_derived(settings), *_epochs(settings), *_of_libraries()]


def show_every_key(lines: list[Line], now: datetime) -> None:
    """For people: a key a paragraph, which a narrow terminal shows as well."""
    out = console()
    for line in lines:
        since = f"changed {ago(line.since, now)}" if line.since else "of unknown age"
        where = printable(line.source) + ("" if line.there else " (not given here)")
        out.print(Text.assemble((line.kind, "bold"), "  ", printable(line.name)))
        for words in (
            f"{where}, {since}, kept by the {line.owner}",
            f"to change it: {line.rotate}; if it is lost: {line.lost}",
        ):
            out.print(Padding(Text(words, "" if line.there else "dim"), (0, 0, 0, 4)))


def _configured(source: Source) -> Line:
    kind = KINDS[source.place]
    name = source.at
    if source.name:
        name = ", ".join(filter(None, (source.tenant, source.name)))
    return Line(
        kind.kind,
        name,
        source.tenant,
        kind.owner,
        f"{source.kind} {source.target}",
        source.there,
        source.changed,
        kind.rotate,
        kind.lost,
    )


def _derived(settings: Settings) -> Iterator[Line]:
    fingerprint = KINDS["fingerprint_key",]
    for name, lost in _DERIVED:
        yield Line(
            "derived", name, None, fingerprint.owner, "fingerprint_key", True, None, fingerprint.rotate, lost
        )
    wrapping, spool = KINDS["vault", "keys", "#", "secret"], KINDS["spool", "keys", "#", "secret"]
    if settings.vault.folder is not None:
        yield _of_fingerprint(wrapping, bool(settings.vault.keys))
    if settings.spool.folder is not None:
        yield _of_fingerprint(spool, bool(settings.spool.keys))


def _of_fingerprint(kind: Kind, given: bool) -> Line:
    name = "derived, opens only" if given else "derived"
    return Line(kind.kind, name, None, kind.owner, "fingerprint_key", True, None, kind.rotate, kind.lost)


def _epochs(settings: Settings) -> Iterator[Line]:
    folder = open_folder(settings)
    if folder is None:
        return
    try:
        epochs = folder.epochs()
    except OSError:
        epochs = []
    name = (
        f"{len(epochs)} keys of an hour, the newest {epochs[-1].name}"
        if epochs
        else "keys of an hour: none here"
    )
    since = epochs[0].begins if epochs else None
    kind = KINDS["vault", "keys", "#", "secret"]
    yield Line(
        "vault",
        name,
        None,
        kind.owner,
        f"folder {folder.path}",
        bool(epochs),
        since,
        "./hookledger vault rotate",
        kind.lost,
    )


def _of_libraries() -> Iterator[Line]:
    for name, kind in _OF_THE_ENVIRONMENT.items():
        if name in os.environ:
            yield Line(kind.kind, name, None, kind.owner, f"env {name}", True, None, kind.rotate, kind.lost)
