#!lua flags=allow-oom
--[[ retain: completed, failed → gone, for jobs that are too old or too many, without any job
having to end for it
KEYS  the queue's nine keys (include/keys.lua)
ARGV  completed_rule, failed_rule  (keep rules "<count> <age ms>", include/retention.lua)
Returns  the number of removed jobs
Cost     O(r log n), r removed jobs, at most 250
Crash    a repeat goes on ]]
--- @include keys
--- @include clock
--- @include record
--- @include retention

local completed_rule, failed_rule = ARGV[1], ARGV[2]
reserve(0)
local function apply(set, rule)
  local before = redis.call('ZCARD', set)
  evict(set, rule)
  return before - redis.call('ZCARD', set)
end
return apply(completed, completed_rule) + apply(failed, failed_rule)
