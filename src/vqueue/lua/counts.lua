#!lua flags=no-writes
--[[ counts: how many jobs are in each state
KEYS  the queue's nine keys (include/keys.lua)
ARGV  none
Returns  {waiting, prioritized, delayed, active, completed, failed, waiting-children}
Cost     O(log n)          Crash  reads only ]]
--- @include keys
--- @include consumer_group

local active = pending_of(ready) + pending_of(express)
local in_lanes = redis.call('XLEN', ready) + redis.call('XLEN', express)
local grouped = tonumber(redis.call('HGET', meta, 'grouped')) or 0
local front = redis.call('ZCOUNT', prioritized, '-inf', '(4294967296')
return {
  in_lanes - active + front + grouped,
  redis.call('ZCARD', prioritized) - front,
  redis.call('ZCARD', delayed),
  active,
  redis.call('ZCARD', completed),
  redis.call('ZCARD', failed),
  redis.call('ZCARD', children),
}
