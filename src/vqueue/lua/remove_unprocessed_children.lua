#!lua flags=allow-oom
--[[ remove_unprocessed_children: children of a job that have not ended → gone, with what is
under them; those that run, or under which a job runs, stay
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id     (of the parent)
      ref …  (of children, at most 100; what is none, or has ended, is left alone)
Returns  {jobs removed, refs that were dealt with, from the first one on}
Cost     O(k log n), k jobs, at most 50 and a last tree of 250
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
local REMOVED_MAX, LOOKS_MAX = 50, 300
reserve(0)
local parent, doomed, tree, roots, dealt_with = deps_key(id), {}, {}, {}, 0
for i = 2, #ARGV do
  if #doomed >= REMOVED_MAX or looked_at >= LOOKS_MAX then break end
  local child = ARGV[i]
  if not tree[child] and redis.call('SISMEMBER', parent, child) == 1 then
    roots[child] = true
    for _, ref in ipairs(tree_of(child, tree) or {}) do doomed[#doomed + 1] = ref end
    enter(home)
  end
  dealt_with = dealt_with + 1
end
return {remove_jobs(doomed, roots), dealt_with}
