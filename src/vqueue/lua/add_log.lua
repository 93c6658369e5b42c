#!lua
--[[ add_log: any state → the same, with one more log line, from outside its handler
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id    (string)
      keep  (lines kept, the oldest go first)
      line  (string)
Returns  the number of lines kept | nil no such job
Errors   OOM  the server is full: refused before the first write
Cost     O(1)          Crash  a repeat adds the line again ]]
--- @include keys
--- @include record
--- @include moving

local id, keep, line = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if not record_of(id) then return nil end
local length = redis.call('RPUSH', log_key(id), line)
redis.call('LTRIM', log_key(id), -keep, -1)
return math.min(length, keep)
