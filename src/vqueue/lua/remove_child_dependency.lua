#!lua flags=allow-oom
--[[ remove_child_dependency: a parent does not wait for a child any more; when it was the
last one, waiting-children → waiting, prioritized or delayed
KEYS  the queue's nine keys of the child (include/keys.lua)
ARGV  id      (of the child)
      parent  (ref <queue>:<id>, '' for all its parents)
Returns  from how many parents it was parted: when 100, there may be more
Cost     O(p log n), p parents, at most 100          Crash  a repeat parts nothing more ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include retention
--- @include standing
--- @include enter
--- @include dedup
--- @include flow

local id, parent = ARGV[1], ARGV[2]
reserve(0)
local parted = {}
if parent == '' then
  parted = redis.call('SPOP', par_key(id), NOTICES_MAX)
elseif redis.call('SREM', par_key(id), parent) == 1 then
  parted = {parent}
end
for _, one in ipairs(parted) do note(one, ref_of(id), 'gone', '') end
tell_parents(0)
return #parted
