from __future__ import annotations

from runtime.store.ids import ALPHABET, new_id


def test_ids_sort_by_birth() -> None:
    ids = [new_id("voice", at=1_700_000_000 + second) for second in range(50)]
    assert ids == sorted(ids)


def test_ids_of_one_moment_differ_and_use_the_alphabet() -> None:
    ids = {new_id("voice", at=1.0) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == len("voice_") + 26 and set(one[6:]) <= set(ALPHABET) for one in ids)
