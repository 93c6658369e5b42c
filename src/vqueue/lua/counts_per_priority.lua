#!lua flags=no-writes
--[[ counts_per_priority: how many jobs that wait in line have each of some priorities
KEYS  the queue's nine keys (include/keys.lua)
ARGV  priority …  (0 for the jobs without one, at most 1000)
Returns  their numbers in the same order
Cost     O(k log n)          Crash  reads only ]]
--- @include keys
--- @include consumer_group

local counts = {}
for k, priority in ipairs(ARGV) do
  local low = tonumber(priority) * 4294967296
  counts[k] = redis.call('ZCOUNT', prioritized, low, '(' .. string.format('%.0f', low + 4294967296))
  if low == 0 then
    counts[k] = counts[k] + redis.call('XLEN', ready) - pending_of(ready)
  end
end
return counts
