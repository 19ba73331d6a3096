"""`why`: explains a stored decision."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, printable
from commands.reading import note
from commands.times import duration
from ledger.explained import find_kept, turned_away
from ledger.visit import OutOfReach, look, visit
from runtime.explaining import Why, explain
from settings import Settings

_SAYS = (
    "when", "refuse", "required", "pattern", "set", "attribute", "patterns", "target", "value", "remove", "keep", "python",
)  # fmt: skip
"""What of a rule is shown, in this order."""
_BAD = frozenset({"refused", "undecided", "braked", "conflict"})


async def run(settings: Settings, receipt: str, tenant: str | None, *, as_object: bool) -> None:
    """Prints it. Raises typer.Exit with 2 if there is no such decision."""
    try:
        id_ = UUID(receipt)
    except ValueError:
        stop(f"{receipt} is no receipt id: copy it from ./hookledger rules report or ledger search")
    try:
        async with look(settings.store) as pool:
            kept = await find_kept(pool, id_, tenant)
            if kept is None:
                words = await turned_away(pool, id_, tenant)
                stop(f"turned away at the door: {words}" if words else _UNKNOWN.format(id_))
            why = await explain(pool, kept)
        subject = kept.delivery["subject"]
        async with visit(settings.store) as connection:
            people = [UUID(subject)] if subject else []
            await note(connection, "why", [kept.delivery["tenant"]], {"receipt": str(id_)}, people)
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if as_object:
        print(as_json(asdict(why)))
    else:
        _show(why, datetime.now(UTC))


_UNKNOWN = (
    "no delivery has the receipt {}: a repeated call goes by the first one's, and a call that was turned away is "
    "remembered for a while only"
)


def _show(why: Why, now: datetime) -> None:
    out, d = console(), why.delivery
    where = " → ".join(filter(None, (d["hook"], d["application"])))
    whom = d["login"] or d["subject"] or "nobody"
    of = f" · {printable(whom)} of {d['tenant']} · {_moment(d['at'])}"
    out.print(Text.assemble((printable(where), "bold"), of))
    for_whom = f", for {d['acting_for']}" if d["acting_for"] else ""
    out.print(
        Text(f"{d['id']} · by {printable(d['actor'])}{for_whom} · number {d['seq']} of this person\n", "dim")
    )
    code = f" with {why.code}" if why.code else ""
    out.print(Text(d["verdict"] + code, "bold red" if d["verdict"] in _BAD else "bold green"))
    for text in _body_of(why, now):
        out.print(text)


def _body_of(why: Why, now: datetime) -> Iterator[Text]:
    yield from _rule_of(why)
    yield from _compared(why, now)
    yield from _given(why, now)
    for finding in why.findings:
        what = finding.get("rule") or ", ".join(finding.get("attributes", []))
        more = " ".join(filter(None, (finding.get("code"), finding.get("words"))))
        yield Text.assemble("\n", (finding["outcome"], "yellow"), f": {what} {printable(more)}".rstrip())
    if why.repeats:
        yield Text(f"\nsent again {why.repeats} times; each got the same verdict")


def _rule_of(why: Why) -> Iterator[Text]:
    if why.rule:
        then = f", as it was in the rules {why.delivery['rules_hash']}"
        yield Text.assemble("\nrule ", (why.rule["name"], "bold"), then)
        for key in _SAYS:
            if why.rule.get(key):
                yield Text.assemble((f"    {key:<9}", "dim"), _written(why.rule[key]))
    if not why.rules_kept:
        words = f"the text of the rules {why.delivery['rules_hash']} is not kept: what they said is not known"
        yield Text("\n" + words, "yellow")
    if why.erased:
        words = "its body was erased: what was sent, compared and set is not known any more"
        yield Text("\n" + words, "yellow")
    if why.asked:
        yield Text(f"\nrules asked: {', '.join(why.asked)}", "dim")


def _compared(why: Why, now: datetime) -> Iterator[Text]:
    if why.unique:
        yield Text("\ncompared")
    for row in why.unique:
        yield Text.assemble(
            f"    {row['attribute']:<12} {row['normal_form']:<24} ",
            ("clashed", "red") if row["clashed"] else ("free", "green"),
        )
        for clash in row["with"]:
            yield Text(f"        with {_owner(clash, now)}")
        if row["clashed"] and not row["with"]:
            yield Text("        nobody else has it now", "dim")


def _given(why: Why, now: datetime) -> Iterator[Text]:
    if why.holds:
        yield Text("\nheld for this person now")
    for hold in why.holds:
        left = duration((datetime.fromisoformat(hold["expires_at"]) - now).total_seconds())
        by = "" if hold["here"] else ", by a later call"
        until = f"until {_moment(hold['expires_at'])}, for another {left}{by}"
        yield Text(f"    {hold['attribute']:<12} {hold['value']:<24} {until}")
    if why.names:
        yield Text("\nnames that this person keeps")
    for name in why.names:
        by = "given by this call" if name["here"] else f"given {_moment(name['at'])} by another call"
        yield Text(f"    {name['attribute']:<12} {printable(name['shown'])}, {by}")
    if why.set:
        refused = why.delivery["verdict"] == "refused"
        yield Text("\nthe rules set, for other answers than a refusal" if refused else "\nthe answer set")
    for path, value in (why.set or {}).items():
        yield Text(f"    {path:<12} {printable(as_json(value))}")


def _owner(clash: Mapping[str, Any], now: datetime) -> str:
    if clash["held_until"]:
        left = duration((datetime.fromisoformat(clash["held_until"]) - now).total_seconds())
        return f"{clash['subject']}, who holds it for another {left}"
    since = f", known since {_moment(clash['since'])}" if clash["since"] else ""
    return f"{clash['subject']}{since}" + (f", left {_moment(clash['left'])}" if clash["left"] else "")


def _written(value: Any) -> str:
    return printable(value if isinstance(value, str) else as_json(value))


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
