"""How often what may have become much is looked at."""

import pytest

from runtime.pace import pause


@pytest.mark.parametrize(
    ("every", "took", "until"),
    [
        (5.0, 0.0, 5.0),
        (5.0, 0.1, 5.0),
        (2.0, 0.1, 5.0),
        (2.0, 0.3, 15.0),
        (2.0, 9.0, 30.0),
        (300.0, 9.0, 300.0),
    ],
)
def test_a_look_has_a_fiftieth_of_the_time_but_comes_every_half_minute(
    every: float, took: float, until: float
) -> None:
    assert pause(every, took) == pytest.approx(until)
