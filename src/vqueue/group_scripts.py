"""The scripts of groups, as methods of Scripts (lua/include/groups.lua)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vqueue.script_calls import ScriptCalls


class GroupScripts(ScriptCalls):
    """Each is safe to repeat."""

    async def set_group(
        self, *, group_id: str, start: int, settings: Mapping[str, int | None]
    ) -> int:
        """Change settings of a group, or ('') of all; where to go on for all, 0 at the end."""
        args = [
            item
            for name, value in settings.items()
            for item in (name, "" if value is None else value)
        ]
        looked_at: int = await self._call("set_group", group_id, start, *args)
        return looked_at

    async def group(self, *, group_ids: Sequence[str]) -> list[list[int]]:
        """Return the numbers that group.lua tells of each group."""
        told: list[list[int]] = await self._call("group", *group_ids)
        return told
