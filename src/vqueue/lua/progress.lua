#!lua flags=allow-oom
--[[ progress: active → active, with a new progress value, for many jobs in one call
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      per job three values: id, entry, progress (JSON)
Returns  per job 1 ok | 0 lease lost
Cost     O(k)          Crash  the last value wins; a repeat adds another event ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing

local consumer = ARGV[1]
reserve(4)
local statuses, reported, rejected = {}, {}, 0
for i = 2, #ARGV, 3 do
  local id, entry, progress = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if held(entry, consumer) and stands_at(id, entry) then
    redis.call('HSET', live_key(id), 'g', progress)
    table.insert(reported, id)
    table.insert(reported, progress)
    table.insert(statuses, 1)
  else
    table.insert(statuses, 0)
    rejected = rejected + 1
  end
end
if rejected > 0 then count_minute('rejected', rejected) end
emit('progress', reported)
return statuses
