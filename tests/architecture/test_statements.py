"""Every statement of the ledger says whose rows it means, or is known to reach them by an id that was."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ledger.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
_TABLES = "|".join(sorted(metadata.tables))
_STATEMENT = re.compile(rf"\b(FROM|UPDATE|INTO|JOIN)\s+(public\.)?({_TABLES})\b")
_OF_A_TENANT = re.compile(r":tenants?\b|tenant = (coalesce\()?\$\d|\(tenant, ")
_OF_NOBODY = frozenset({"releases", "activity_names", "alembic_version", "unsealed", "leaves", "checkpoints"})

BY_ID = {
    "calls._CAUSE": "the job's own delivery, within its person",
    "calls._NOTE": "the job's own work: the row takes its tenant from it",
    "vault._FORGET": "secrets that no work needs any more, whosever they are",
    "vault._COUNT": "numbers by key, which all tenants share",
    "figures._FIGURES": "counts of the whole ledger for the operators' metrics, tenants apart where they are told",
    "figures.reached": "whether the store answers: reads nothing of a row",
    "figures._KEEPS": "whether the store would keep a hook: reads nothing of a row",
    "by_hand._WHOSE": "the person whose run it is, by the run's name",
    "by_hand._NOTE": "a key that names nobody",
    "by_hand._LOOKED": "a time and no more",
    "crosschecks.CHECKS": "the whole ledger is verified, by its keepers",
    "crosschecks.LEAFLESS": "the whole ledger is verified, by its keepers",
    "erase._CLASSES": "the person whom the lock has found in the tenant, and deliveries found in it",
    "erasures._HEAD": "one list is over all tenants: each line has its own in it",
    "erasures._FIRST_LACKING": "one list is over all tenants: numbers and no more",
    "erasures._HAS": "one list is over all tenants: a number and no more",
    "erasures._KEPT": "the erasure that is asked for by its id; the api asks for its tenant first",
    "erasures._TENANT_OF": "the erasure that is asked for by its id: whose it is",
    "erasures_due._FIND": "of all tenants: each row carries its own",
    "erasures_due._PUT_OFF": "the row that was found due",
    "dropped._DEEDS": "the whole ledger is verified, by its keepers",
    "events._LOAD": "deliveries of a job, which came from one person's work",
    "explained._ENTRIES": "entries of the delivery found",
    "explained._HOLDS": "holds of the delivery's person",
    "incidents._ANY_OPEN": "of all tenants, whether there is one",
    "incidents._OPEN": "the failing job's own work: the row takes its tenant from it",
    "incidents._PROBED": "the incident of the probe's own work",
    "incidents._PROBE": "of all tenants: each incident looks for work of its own",
    "incidents._HEALED": "of all tenants: each row carries its own",
    "incidents._CLOSE": "the incident that was found",
    "importing._LOCK_PEOPLE": "people whom the chunk has found in the import's tenant",
    "importing._PROGRESS": "the import that this process began for its tenant",
    "importing._NOTE": "the import that this process began for its tenant",
    "importing._NOTED": "the import that this process began for its tenant",
    "importing._KINDS": "the import that this process began for its tenant",
    "importing._FINISH": "the import that this process began for its tenant",
    "importing._DELIVERY": "a new row, of the import's tenant",
    "importing._BODY": "a new row, of the delivery just made",
    "importing._ENTRY": "a new row, of the import's tenant",
    "keys._FIND": "the key that is borne: it says itself of whom it is",
    "keys._USED": "the key that was borne",
    "known._NAMES": "people whom the statement around it has found in the tenant",
    "known._PEOPLE": "the part of a statement that ends in the tenant's condition",
    "making._BODIES": "deliveries whose entries the tenant's condition has found",
    "named._LOGINS": "people whom a statement with the tenant has found",
    "operate._REDRIVE": "a delivery whose person _SUBJECT has found in the tenant",
    "operate._SKIP": "a delivery whose person _SUBJECT has found in the tenant",
    "operate._BODY": "the deed's own body",
    "operate._touch": "the person whom _SUBJECT has found in the tenant",
    "people.STAGE": "the event's own person",
    "people.END": "the event's own person",
    "people.ENDING": "the event's own person",
    "people.INFERRED_END": "the event's own person",
    "people.UNKNOWN": "the event's own person",
    "prove._ENTRY": "the entry that is asked for by its id",
    "published._STATE": "of the whole queue, a time and no more",
    "restored._NEWEST": "of the whole store, a time and no more",
    "restored._OPEN": "of all tenants: each count carries its own",
    "restored._HELD": "of all tenants: each count carries its own",
    "restored._RELEASE": "of all tenants: the whole store came back",
    "restored._FORGET": "of all tenants: the whole store came back",
    "restored._KNOWN": "ids that Temporal told, of which only those are shown that are not there",
    "restored._NUMBERS": "people whom Temporal told of",
    "restored._STILL_OPEN": "work that Temporal told of",
    "rules_loaded._DELIVERY": "a new row, of the tenant whose rules they are",
    "rules_loaded._BODY": "a new row, of the delivery just made",
    "rules_loaded._ENTRY": "a new row, of the tenant whose rules they are",
    "seal._TAKE": "one tree is over all tenants: each leaf has its own in it",
    "seal._TAKE_CAREFULLY": "one tree is over all tenants: each leaf has its own in it",
    "sessions._BEGIN": "the session of whoever has just shown a key or come from the provider",
    "sessions._FIND": "the session whose cookie was shown, and its key, which carries its tenant",
    "sessions._SEEN": "the session whose cookie was shown",
    "sessions._END": "the session whose cookie was shown",
    "sessions._TIDY": "of all tenants, by age",
    "switches._LIST": "the switches of all tenants, for the command line: names of tenants and activities, and counts",
    "trouble._HELD": "counts of all tenants, each under its name",
    "trouble._SWITCHES": "counts of switches of all tenants",
    "work.ANY_SWITCH": "of all tenants, whether there is one",
    "work.GOES_ON": "a condition on a piece of work and its person's lane, which have a tenant",
    "work.SHOULD_RUN": "people of the open work that the statement around it has found",
    "sweep._FIND": "of all tenants: each row carries its own",
    "sweep._KEPT_BACK": "a condition on a piece of work and its person's lane, which have a tenant",
    "sweep._UNRUNG": "the sweep is of all tenants",
    "sweep._NOTE": "people who were rung",
    "sweep._TIDY": "of all tenants, by age: each entry copies its work's tenant",
    "verify._LEAVES": "the whole ledger is verified, by its keepers",
    "watch._OPEN": "deliveries that the watch has found in its round's tenant",
    "watch._DROPPED": "of the work just dropped: each entry copies its tenant",
    "watch._DROP": "deliveries that the watch has found in its round's tenant, within their person",
    "watch._FREE": "deliveries that the watch has found in its round's tenant, within their person",
    "watch._DROP_OVERDUE": "of all tenants, by age",
    "work._TAKE": "one person's work",
    "work._TAKE_OTHERS": "one person's work",
    "work._LOCK_LANE": "the job's own work",
    "work._BUSY": "the lane of the job's own work, within its person",
    "work._CLAIM": "the job's own work",
    "work._ENDED": "the job's own work",
    "work._SETTLE": "the job's own work; the entry copies its tenant",
    "work._FAULT": "the job's own work",
    "work._UNCLAIM": "the job's own work",
    "work._RENEW": "the job's own work",
    "work._CANCELLED": "the job's own work, within its person",
}
"""Statements without a tenant, and by what they reach their rows."""


def _statements() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "ledger").rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found = _STATEMENT.findall(part.value)
                    if any(table not in _OF_NOBODY for _, _, table in found):
                        yield f"{file.stem}.{_name(node)}", part.value


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return getattr(node, "name", "?")


def test_every_statement_names_its_tenant_or_is_known_to_need_none() -> None:
    without = {name for name, sql in _statements() if not _OF_A_TENANT.search(sql)}

    assert without - BY_ID.keys() == set(), (
        "add the tenant to its condition, or say here by what it is reached"
    )
    assert BY_ID.keys() - without == set(), "these are gone, or name their tenant by now"


def test_the_look_finds_statements_at_all() -> None:
    assert len(list(_statements())) > 40
