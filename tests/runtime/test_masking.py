"""What a masked value shows, and what it does not."""

import pytest

from runtime.masking import mask


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("asha@example.com", "a•••a@e•••e.com"),
        ("asha@mail.example.co.in", "a•••a@m•••o.in"),
        ("a@b.com", "•••@•••.com"),
        ("+919812345678", "+•••8"),
        ("asha.rao", "a•••o"),
        ("abc", "•••"),
        ("", "•••"),
        ("asha@localhost", "a•••a@l•••t"),
    ],
)
def test_first_and_last_letters_are_shown(value: str, shown: str) -> None:
    assert mask(value) == shown
