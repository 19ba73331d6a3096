"""The dry run: what an import would do and find, without writing anything."""

from collections.abc import Collection, Iterator

from commands.importing.carry import Outcome, clashing
from commands.importing.compare import judge, said_in_body
from commands.importing.files import RawChunk
from commands.importing.prepare import Chunk, Job, Preparer
from ledger.importing import Finding, Session
from ledger.receive import locks_of
from ledger.scratch import Said, Scratch


class Rehearsal:
    """Looks, and keeps in mind what the file's lines have said."""

    def __init__(self, session: Session, job: Job, scratch: Scratch) -> None:
        self.session = session
        self.job = job
        self.preparer = Preparer(job)
        self.scratch = scratch
        self._new: set[int] = set()

    async def rehearse(self, raw: RawChunk, chunk: Chunk) -> Outcome:
        """What would become of a chunk, seen by itself."""
        done = Outcome(chunk.findings, chunk.left_out)
        known = await self.session.look(chunk.asked)
        for place, who in known.items():
            person = self.preparer.again(raw.rows[chunk.sources[place]])
            done.count(judge(self.preparer, person, who).verdict)
        done.count("created", len(chunk.asked) - len(known))
        own = {place: who.subject for place, who in known.items()}
        for clash in await self.session.clashes(chunk.values, own):
            # Lines that this file told before are compared with each other, below.
            if said_in_body(clash.body, self.job.file) is None:
                done.findings += clashing(raw.rows[chunk.sources[clash.row]][0], [clash], self.job.file)
        self.scratch.add(self._said(raw, chunk, known.keys()))
        self.scratch.note(done.findings)
        return done

    def _said(self, raw: RawChunk, chunk: Chunk, known: Collection[int]) -> Iterator[Said]:
        tenant = self.job.tenant
        people: list[int] = []
        for place, (login, id_, _, _) in enumerate(chunk.asked):
            line, fresh = raw.rows[chunk.sources[place]][0], place not in known
            person, *of_id = locks_of(tenant, login, id_, ())
            people.append(person)
            yield ":login", person, person, line, fresh
            for hash_ in of_id:
                yield ":id", hash_, person, line, fresh
        for place, attribute, form in chunk.values:
            [hash_, _] = locks_of(tenant, "", None, [(attribute, form)])
            yield attribute, hash_, people[place], raw.rows[chunk.sources[place]][0], place not in known

    def compare(self) -> int:
        """Notes what only shows when all lines are compared; gives how many rows were counted as new people again."""
        again = 0
        for found, fresh in self._again():
            self.scratch.note([found])
            again += fresh and found.kind == "repeated"
        return again

    def _again(self) -> Iterator[tuple[Finding, bool]]:
        last = 0
        for line, attribute, first, fresh in self.scratch.again():
            if not attribute.startswith(":"):
                yield Finding(line, "clash", attribute, f"line {first}"), bool(fresh)
            elif line != last:
                last = line
                yield Finding(line, "repeated", "", f"line {first}"), bool(fresh)
