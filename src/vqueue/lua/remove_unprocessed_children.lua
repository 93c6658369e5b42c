#!lua flags=allow-oom
--[[ remove_unprocessed_children: children of a job that have not ended → gone, with what is
under them; those that run, or under which a job runs, stay
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id  (of the parent)
Returns  {jobs removed, 1 when there may be more: call again}
Cost     O(k log n), k jobs, at most 250 and a last tree
Crash    a repeat removes what is left ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing
--- @include retention
--- @include enter
--- @include dedup
--- @include flow
--- @include tree

local id = ARGV[1]
reserve(0)
local removed, looked_at = 0, 0
local pending = redis.call('SRANDMEMBER', deps_key(id), TREE_MAX)
for _, child in ipairs(pending) do
  local doomed = tree_of(child)
  enter(home)
  if doomed then removed = removed + remove_jobs(doomed) end
  looked_at = looked_at + 1
  if removed >= TREE_MAX then break end
end
local more = removed > 0 and (looked_at < #pending or #pending == TREE_MAX)
return {removed, more and 1 or 0}
