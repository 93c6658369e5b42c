#!lua flags=allow-oom
--[[ present: a worker says that it is there, and what it does
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      info      (JSON, see vqueue/presence.py; '' when it leaves)
Returns  1
Cost     O(log n)          Crash  a repeat says it again
A worker that falls silent is remembered for an hour, for those who ask why a job stalled. One that
leaves takes its consumers along, unless they still hold jobs. ]]
--- @include keys
--- @include clock
--- @include workers
--- @include consumers

local consumer, info = ARGV[1], ARGV[2]
reserve(0)
if info == '' then
  redis.call('ZREM', workers_key(), consumer)
  redis.call('UNLINK', worker_key(consumer))
  forget_consumer(ready, GROUP, consumer)
  forget_consumer(express, GROUP, consumer)
  return 1
end
redis.call('SET', worker_key(consumer), info, 'PX', REMEMBERED_MS)
redis.call('ZADD', workers_key(), now, consumer)
redis.call('ZREMRANGEBYSCORE', workers_key(), '-inf', now - REMEMBERED_MS)
return 1
