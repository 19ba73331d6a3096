"""The rounds: both sides in turn on one stack, every ratio taken within its round."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import export, importing, questions, rules, sealing
from bench.figures import Notebook
from bench.races import race
from bench.stack import Stack, stack
from bench.storm import Side, Storm, storm
from bench.traffic import HOOKS_PER_JOINER

RACES = {"validate": "validateUser", "policymap": "policyMap", "ack": "postProvision"}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. Seconds, users, and the tempo of a spread storm."""

    rounds: int
    race_s: float
    ack_s: float
    """Longer: rings for bookkeeping begin a second after the first answers. They give way to answers, so that most of
    the new people of a race are rung for after it; what that work costs is the storms' to measure."""
    storm_rounds: int
    storm_users: int
    spread_rounds: int
    gap: tuple[float, float]
    spread_over_story: float
    """How many times as long as one story the naive side shall need for a spread storm: below about 2 only the
    stories' own tempo would be measured."""
    known: int
    """People known while a tenant's own rules are measured."""
    import_rounds: int
    import_rows: int
    entries: int
    """Of the long ledger that questions are asked of; the short one has FEW_ENTRIES."""
    asks: int
    seal_rounds: int
    seal_entries: int
    append_s: float
    export_rounds: int
    export_entries: int


FULL = Size(
    7,
    3.0,
    5.0,
    7,
    60,
    7,
    (0.5, 5.0),
    2.6,
    1_000_000,
    7,
    50_000,
    10_000_000,
    31,
    7,
    200_000,
    10.0,
    3,
    1_000_000,
)
QUICK = Size(
    1, 0.6, 1.2, 1, 6, 1, (0.05, 0.2), 1.6, 20_000, 1, 3_000, 1_000_000, 9, 1, 20_000, 1.0, 1, 100_000
)
PARTS = frozenset({"races", "rules", "storms", "imports", "questions", "sealing", "export"})
QUICK_PARTS = frozenset({"races", "storms"})
"""What fits into a minute; the others are quick by name: --quick --only rules,imports,questions,sealing,export."""
FEW_ENTRIES = 100_000


def measure(size: Size, say: Say, only: frozenset[str] = PARTS) -> Notebook:
    """Everything, in rounds; `say` hears what is being done. Raises BenchError if a measurement means nothing."""
    notebook = Notebook()
    say("starting Postgres and Temporal")
    with stack() as one:
        if "races" in only:
            _races(one, size, notebook, say)
        if "rules" in only:
            rules.rule_rounds(
                one, rounds=size.rounds, seconds=size.race_s, many=size.known, notebook=notebook, say=say
            )
        if "storms" in only:
            _storms(one, size, notebook, say)
        if "imports" in only:
            for number in range(size.import_rounds):
                say(f"import of {size.import_rows:,} people, round {number + 1} of {size.import_rounds}")
                importing.round_of(one, size.import_rows, number, notebook)
        if "questions" in only:
            questions.question_rounds(
                one,
                large=size.entries,
                small=FEW_ENTRIES,
                rounds=size.rounds,
                asks=size.asks,
                notebook=notebook,
                say=say,
            )
        if "sealing" in only:
            for number in range(size.seal_rounds):
                say(
                    f"{size.seal_entries:,} entries sealed and verified, round {number + 1} of {size.seal_rounds}"
                )
                sealing.round_of(one, size.seal_entries, size.append_s, number, notebook)
        if "export" in only:
            for number in range(size.export_rounds):
                say(f"a pack of {size.export_entries:,} entries, round {number + 1} of {size.export_rounds}")
                export.round_of(one, size.export_entries, number, notebook)
    return notebook


def steps(size: Size, only: frozenset[str]) -> int:
    """How often `say` will be called."""
    races = 1 + len(RACES) * size.rounds if "races" in only else 0
    storms = 1 + size.storm_rounds + size.spread_rounds if "storms" in only else 0
    ruled = rules.steps(size.rounds) if "rules" in only else 0
    asked = questions.steps(size.rounds) if "questions" in only else 0
    sealed = size.seal_rounds if "sealing" in only else 0
    imported = size.import_rounds if "imports" in only else 0
    exported = size.export_rounds if "export" in only else 0
    return 1 + races + ruled + storms + asked + sealed + imported + exported


def _races(one: Stack, size: Size, notebook: Notebook, say: Say) -> None:
    """Answers per second of one process each. No worker runs: what hooks cause later is the storms' to measure."""
    say("starting our api and the bare one")
    ours, bare = one.hookledger("race"), one.bare("bare")
    plain = one.hookledger("plain", observed=False)
    seed = iter(range(1, 500))
    for side in (ours, plain, bare):
        race(one, "validateUser", side, next(seed), 0.3)
    for number in range(size.rounds):
        for name, hook in RACES.items():
            say(f"{hook}, round {number + 1} of {size.rounds}")
            seconds = size.ack_s if name == "ack" else size.race_s
            a = race(one, hook, ours, next(seed), seconds)
            if name == "ack":
                ours = one.restarted(ours)
                unseen = race(one, hook, plain, next(seed), seconds)
                plain = one.restarted(plain)
                notebook.note(ack_observed_vs_plain=a["hooks_per_s"] / unseen["hooks_per_s"])
            b = race(one, hook, bare, next(seed), seconds)
            _note_race(notebook, name, a, b)
    for side in (ours, plain, bare):
        one.end(side)


def _note_race(notebook: Notebook, name: str, ours: dict[str, Any], bare: dict[str, Any]) -> None:
    values = {
        f"{name}_vs_bare": ours["hooks_per_s"] / bare["hooks_per_s"],
        f"{name}_hooks_per_s": ours["hooks_per_s"],
        f"{name}_bare_hooks_per_s": bare["hooks_per_s"],
        f"{name}_cpu_ms": ours["cpu_ms"],
        f"{name}_bare_cpu_ms": bare["cpu_ms"],
    }
    if name == "validate":
        values["validate_p99_vs_bare"] = ours["p99_ms"] / bare["p99_ms"]
        values["validate_p99_ms"], values["validate_bare_p99_ms"] = ours["p99_ms"], bare["p99_ms"]
    notebook.note(**values)


def _storms(one: Stack, size: Size, notebook: Notebook, say: Say) -> None:
    """Storms back to back, then spread ones with as many users as keep the naive side busy."""
    say("starting both designs on one Temporal")
    ours, naive = Side.ours(one.hookledger("storm")), Side.naive(one.naive("naive"))
    one.hookledger_worker(ours.api)
    for side in (ours, naive):
        storm(one, side, 2)
    slowest = 0.0
    for number in range(size.storm_rounds):
        say(f"storm of {size.storm_users} joiners, round {number + 1} of {size.storm_rounds}")
        a = storm(one, ours, size.storm_users, probed=True)
        b = storm(one, naive, size.storm_users)
        slowest = max(slowest, b.hooks_per_s)
        _note_storm(notebook, a, b)
    users = spread_users(size, slowest)
    for number in range(size.spread_rounds):
        say(f"spread storm of {users} joiners, round {number + 1} of {size.spread_rounds}")
        a = storm(one, ours, users, gap=size.gap)
        b = storm(one, naive, users, gap=size.gap)
        notebook.note(
            storm_spread_vs_naive=b.seconds / a.seconds,
            spread_temporal_cpu_vs_naive=a.temporal_cpu_s / b.temporal_cpu_s,
            spread_actions_per_hook=a.actions / a.hooks,
            spread_users=users,
            spread_seconds=a.seconds,
            spread_naive_seconds=b.seconds,
        )


def spread_users(size: Size, naive_hooks_per_s: float) -> int:
    """Users whose spread storm keeps the naive side busy for `spread_over_story` of the longest story."""
    longest = (HOOKS_PER_JOINER - 1) * (0.4 * size.gap[0] + 0.6 * size.gap[1])
    return max(8, round(naive_hooks_per_s * longest * size.spread_over_story / HOOKS_PER_JOINER))


def _note_storm(notebook: Notebook, ours: Storm, naive: Storm) -> None:
    assert ours.ack_vs_idle is not None
    notebook.note(
        storm_vs_naive=naive.seconds / ours.seconds,
        temporal_cpu_vs_naive=ours.temporal_cpu_s / naive.temporal_cpu_s,
        actions_per_hook=ours.actions / ours.hooks,
        storm_ack_p50_vs_idle=ours.ack_vs_idle,
        naive_actions_per_hook=naive.actions / naive.hooks,
        storm_hooks_per_s=ours.hooks_per_s,
        storm_naive_hooks_per_s=naive.hooks_per_s,
        storm_answered_s=ours.answered_in,
        temporal_ms_per_hook=1000 * ours.temporal_cpu_s / ours.hooks,
        temporal_naive_ms_per_hook=1000 * naive.temporal_cpu_s / naive.hooks,
    )
