#!lua
--[[ partial: active → active, with more partial results, for many in one call
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      keep      (results kept per job, the oldest go first)
      per result four values: id, entry, place (<fence>-<number>, which grows with each
      result of a job), value (JSON)
Returns  per result 1 ok | 0 lease lost
Errors   OOM  the server is full: refused before the first write
Cost     O(k)          Crash  a repeated place is not added
They are kept for an hour after the last one, also when the job has ended and is gone; those
of an earlier job of this id go when the new one sends its own, or is removed. ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing

local consumer, keep = ARGV[1], ARGV[2]
local PARTIALS_MS = 3600000
local statuses, rejected, has_added = {}, 0, false
for i = 3, #ARGV, 4 do
  local id, entry, place, value = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local record = held(entry, consumer) and record_of(id)
  if record and place_of(record) == entry then
    local partials = partials_key(id)
    redis.call('XTRIM', partials, 'MINID', string.format('%.0f', job_of(record).added * 1048576))
    if #redis.call('XRANGE', partials, place, '+', 'COUNT', 1) == 0 then
      redis.call('XADD', partials, 'MAXLEN', keep, place, 'v', value)
      redis.call('PEXPIRE', partials, PARTIALS_MS)
      has_added = true
    end
    table.insert(statuses, 1)
  else
    table.insert(statuses, 0)
    rejected = rejected + 1
  end
end
-- whoever removes a job looks for those of an earlier one until then
if has_added then redis.call('HSET', meta, 'partials', now + PARTIALS_MS) end
if rejected > 0 then count_minute('rejected', rejected) end
return statuses
