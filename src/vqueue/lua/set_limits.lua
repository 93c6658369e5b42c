#!lua flags=allow-oom
--[[ set_limits: change how many jobs of the queue may be active, or start in a time
KEYS  the queue's nine keys (include/keys.lua)
ARGV  per limit two values:
      name   (concurrency, limit_max, limit_ms: include/gate.lua)
      value  (integer of at least 1, '' for no limit)
Returns  1
Cost     O(1)          Crash  a repeat changes nothing
A lower limit ends no job: it holds as soon as enough of the active ones have ended. ]]
--- @include keys
--- @include clock
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include consumer_group
--- @include gate

reserve(0)
for i = 1, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  if value == '' then redis.call('HDEL', meta, name) else redis.call('HSET', meta, name, value) end
end
note_limits(read_limits())
arm()
return 1
