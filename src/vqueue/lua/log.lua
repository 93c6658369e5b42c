#!lua
--[[ log: active → active, with one more log line, for many lines in one call
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      keep      (lines kept per job, the oldest go first)
      per line four values: id, entry, number (1.., rising within an activation), line
Returns  per line 1 ok | 0 lease lost
Errors   OOM  the server is full: refused before the first write
Cost     O(k)          Crash  a repeated number of the same activation is not added ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing

local consumer, keep = ARGV[1], tonumber(ARGV[2])
local statuses, rejected = {}, 0
for i = 3, #ARGV, 4 do
  local id, entry, number, line = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  if held(entry, consumer) and stands_at(id, entry) then
    local last_entry, last = string.match(
      redis.call('HGET', live_key(id), 'll') or '', '^(%S+) (%d+)$')
    if last_entry ~= entry or number > tonumber(last) then
      redis.call('RPUSH', log_key(id), line)
      redis.call('LTRIM', log_key(id), -keep, -1)
      redis.call('HSET', live_key(id), 'll', entry .. ' ' .. string.format('%.0f', number))
    end
    table.insert(statuses, 1)
  else
    table.insert(statuses, 0)
    rejected = rejected + 1
  end
end
if rejected > 0 then count_minute('rejected', rejected) end
return statuses
