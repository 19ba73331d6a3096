"""Carries chunks into the store: new people by COPY, known ones who differ by receive(), one transaction each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from commands.importing.compare import Judged, Verdict, judge, said_in_body
from commands.importing.files import RawChunk
from commands.importing.prepare import Chunk, Job, Person, Preparer
from ledger import receive as receiving
from ledger.imported import HOOK, VERDICT
from ledger.importing import Clash, Counts, Finding, Known, Session, Values


@dataclass(slots=True)
class Outcome:
    """What became of a chunk."""

    findings: list[Finding]
    left_out: int
    by_verdict: dict[Verdict, int] = field(default_factory=dict[Verdict, int])

    def count(self, verdict: Verdict, rows: int = 1) -> None:
        """Some rows went so."""
        self.by_verdict[verdict] = self.by_verdict.get(verdict, 0) + rows

    def note(self, judged: Judged) -> None:
        """A row that was compared went so."""
        self.count(judged.verdict)
        if judged.finding is not None:
            self.findings.append(judged.finding)

    @property
    def counts(self) -> Counts:
        """For the report."""
        return Counts(**self.by_verdict, left_out=self.left_out)


class Carrier:
    """One import's way into the store."""

    def __init__(self, session: Session, job: Job) -> None:
        self.session = session
        self.job = job
        self.preparer = Preparer(job)

    async def carry(self, run: UUID, raw: RawChunk, chunk: Chunk) -> Outcome:
        """Writes what can be written of a chunk, with how far the import has come."""
        done = Outcome(chunk.findings, chunk.left_out)
        everybody = range(len(chunk.asked))
        async with self.session.chunk():
            await self.session.lock(chunk.locks)
            known: dict[int, Known] = {}
            clashes: dict[int, list[Clash]] = {}
            if chunk.asked and not await self.session.is_new(chunk.asked, chunk.values):
                known = await self.session.look(chunk.asked)
                own = {place: who.subject for place, who in known.items()}
                clashes = by_row(await self.session.clashes(chunk.values, own))
            others = known.keys() | clashes.keys() | chunk.later
            new = [place for place in everybody if place not in others]
            if new:
                await self.session.copy(chunk.people, new if others else None)
                done.count("created", len(new))
            if others:
                await self._rest(_Rest(raw, chunk, known, clashes, sorted(others)), done)
            await self.session.progress(run, raw.last, done.counts, done.findings)
        return done

    async def _rest(self, rest: "_Rest", done: Outcome) -> None:
        """Everybody who is not simply new."""
        told: list[tuple[int, Person]] = []
        for place in rest.places:
            person = self.preparer.again(rest.raw.rows[rest.chunk.sources[place]])
            if place not in rest.chunk.later and place in rest.known:
                judged = judge(self.preparer, person, rest.known[place])
                if judged.verdict in ("unchanged", "older"):
                    done.note(judged)
                    done.findings += self._clashing(person.line, rest.clashes.get(place, ()))
                    continue
            told.append((place, person))
        if told:
            await self._tell(told, rest, done)

    async def _tell(self, told: Sequence[tuple[int, Person]], rest: "_Rest", done: Outcome) -> None:
        """In the order of the file, because a later row may be about somebody an earlier one has changed."""
        session = self.session
        await session.lock_renames()
        at_once = [(place, person) for place, person in told if place not in rest.chunk.later]
        await session.lock_people(k.subject for p, _ in at_once if (k := rest.known.get(p)) and k.subject)
        looked = await session.look([person.asked for _, person in at_once])
        now = {at_once[n][0]: known for n, known in looked.items()}
        seen: set[UUID] = set()
        written: list[Person] = []
        owners: dict[int, UUID | None] = {}
        values = Values()
        for place, person in told:
            known = now.get(place)
            if place in rest.chunk.later or (known and known.subject in seen):
                known = await self._look_again(person)
            if known and known.subject:
                seen.add(known.subject)
            judged = judge(self.preparer, person, known)
            done.note(judged)
            if judged.verdict in ("created", "updated"):
                got = await session.receive(self._delivery(judged.person))
                owners[len(written)] = got.subject
                values.add(len(written), judged.person.values)
                written.append(judged.person)
            else:
                done.findings += self._clashing(person.line, rest.clashes.get(place, ()))
        for row, found in by_row(await session.clashes(values, owners)).items():
            done.findings += self._clashing(written[row].line, found)

    async def _look_again(self, person: Person) -> Known | None:
        """Once to learn who it is, once more when nobody else can change them."""
        known = (await self.session.look([person.asked])).get(0)
        if known is None or known.subject is None:
            return known
        await self.session.lock_people([known.subject])
        return (await self.session.look([person.asked])).get(0)

    def _delivery(self, person: Person) -> receiving.Delivery:
        job, subject = self.job, uuid7()
        return receiving.Delivery(
            id=uuid7(),
            tenant=job.tenant,
            hook=HOOK,
            verdict=VERDICT,
            body=self.preparer.body(person).decode(),
            actor=job.actor,
            acting_for=None,
            code_version=job.code_version,
            rules_hash=job.rules_hash,
            person=receiving.Person(
                login=person.login,
                platform_id=person.platform_id,
                new_subject=subject,
                new_workflow=self.preparer.workflow_id(person, subject.hex[-12:]),
            ),
            fact=True,
            identity=person.fact,
            values=sorted(person.values),
            release=timedelta(0),
        )

    def _clashing(self, line: int, found: Sequence[Clash]) -> list[Finding]:
        return clashing(line, found, self.job.file)


@dataclass(frozen=True, slots=True)
class _Rest:
    """A chunk, what was seen of it under its locks, and the places of rows that are not simply new."""

    raw: RawChunk
    chunk: Chunk
    known: dict[int, Known]
    clashes: dict[int, list[Clash]]
    places: list[int]


def by_row(clashes: Sequence[Clash]) -> dict[int, list[Clash]]:
    """The clashes of each row that has any."""
    found: dict[int, list[Clash]] = {}
    for clash in clashes:
        found.setdefault(clash.row, []).append(clash)
    return found


def clashing(line: int, found: Sequence[Clash], file: str) -> list[Finding]:
    """A clash is the later line's."""
    made: list[Finding] = []
    for clash in found:
        other = said_in_body(clash.body, file)
        if other is None:
            made.append(Finding(line, "clash", clash.attribute, f"person {clash.subject}"))
        elif other < line:
            made.append(Finding(line, "clash", clash.attribute, f"line {other}"))
    return made
