"""Which segments are uploaded while an encode runs."""

from pathlib import Path

from vworker.local_store import LocalStore
from vworker.media.encoding import SegmentType
from vworker.media.plan import segment_name
from vworker.publisher import Publisher
from vworker.tasks import task_group


async def uploaded(
    folder: Path, made: set[tuple[str, int]], *, ended: bool, sounds_begin: bool = True
) -> set[tuple[str, int]]:
    """What goes up when these segments of pictures and sound are there."""
    stored: set[tuple[str, int]] = set()
    for name, number in made:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / segment_name(number)).write_bytes(b"x")
    async with task_group() as group:
        publisher = Publisher(
            storage=LocalStore(folder / "source", folder / "out"),
            prefix="",
            folder=folder,
            renditions=dict.fromkeys(("360p", "audio"), SegmentType.TS),
            sounds=("audio",),
            sounds_begin=lambda: sounds_begin,
            group=group,
            uploads_at_once=1,
            on_stored=lambda name, number: stored.add((name, number)),
        )
        if ended:
            publisher.collect()
        else:
            publisher.collect_in_step()
    return stored


async def test_sounds_go_up_behind_the_pictures_and_their_last_segment_at_the_end(
    tmp_path: Path,
) -> None:
    sounds = {("audio", 0), ("audio", 1)}
    assert await uploaded(tmp_path / "a", sounds, ended=False) == set()
    begun = {("360p", 0), *sounds}
    assert await uploaded(tmp_path / "b", begun, ended=False) == {("360p", 0), ("audio", 0)}
    whole = {("360p", 1), *begun}
    assert await uploaded(tmp_path / "c", whole, ended=False) == whole - {("audio", 1)}
    assert await uploaded(tmp_path / "d", whole, ended=True) == whole


async def test_sounds_that_may_be_made_anew_go_up_at_the_end(tmp_path: Path) -> None:
    made = {("360p", 0), ("360p", 1), ("audio", 0), ("audio", 1)}
    early = await uploaded(tmp_path / "a", made, ended=False, sounds_begin=False)
    assert early == {("360p", 0), ("360p", 1)}
    assert await uploaded(tmp_path / "b", made, ended=True, sounds_begin=False) == made
