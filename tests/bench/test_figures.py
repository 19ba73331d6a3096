"""What is reported: a median over rounds, with its spread."""

from bench.figures import Figure, Notebook
from bench.rounds import FULL, PARTS, QUICK, spread_users, steps


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert Figure.of([3.0, 1.0, 2.0]) == Figure(median=2.0, min=1.0, max=3.0, rounds=3)


def test_ratios_with_an_aim_come_first_in_their_order() -> None:
    notebook = Notebook()
    notebook.note(other=1.0, actions_per_hook=0.4, validate_vs_bare=1.1)
    notebook.note(validate_vs_bare=0.9)
    figures = notebook.figures()
    assert list(figures) == ["validate_vs_bare", "actions_per_hook", "other"]
    assert figures["validate_vs_bare"].rounds == 2


def test_the_full_bench_has_at_least_seven_rounds_of_everything() -> None:
    assert min(FULL.rounds, FULL.storm_rounds, FULL.spread_rounds, FULL.import_rounds) >= 7
    assert FULL.gap == (0.5, 5.0)
    assert steps(QUICK, PARTS) < steps(FULL, PARTS)


def test_a_spread_storm_grows_with_the_naive_sides_speed() -> None:
    assert spread_users(FULL, 60.0) > spread_users(FULL, 20.0) > 8
