#!lua flags=allow-oom
--[[ close_gap: a durable subscriber group has resynchronised up to a gap
KEYS  the queue's nine keys (include/keys.lua)
ARGV  group  (string)
      gap    (the id that read_events.lua told)
Returns  1 closed | 0 a newer gap was found meanwhile
Cost     O(1)          Crash  a repeat answers 0 and changes nothing ]]
--- @include keys

local group, gap = ARGV[1], ARGV[2]
if redis.call('HGET', meta, 'gap:' .. group) ~= gap then return 0 end
redis.call('HDEL', meta, 'gap:' .. group)
return 1
