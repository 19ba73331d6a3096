"""What the import's bench measures with: people from several countries, all of them readable."""

from pathlib import Path

from bench.importing import normalise_share, write_people
from commands.importing.files import chunks, look_over
from commands.importing.prepare import Job, Preparer
from settings import Tenant


def test_the_people_have_numbers_from_several_countries(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_people(file, 60)
    source = look_over(file, None)
    unique = Tenant.model_fields["unique"].default
    job = Job("as100", unique, "IN", True, 64, "os:bench", "test", "test", "file", source.columns)
    [raw] = chunks(source, 100, 0, 1 << 20)

    chunk = Preparer(job).chunk(raw)

    assert (chunk.findings, chunk.later, len(chunk.asked)) == ([], set(), 60)
    numbers = chunk.values.said["mobile"][1]
    assert len(set(numbers)) == 60
    countries = {number[:3] for number in numbers}
    assert countries == {"+91", "+44", "+12", "+49", "+97", "+65"}
    assert sum(number.startswith("+91") for number in numbers) == 30


def test_normal_forms_alone_take_time(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_people(file, 600)

    assert 0 < normalise_share(file, 0, 2) < 5
