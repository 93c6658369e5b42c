#!lua
--[[ emit_event: add events of the user's own
KEYS  the queue's nine keys (include/keys.lua)
ARGV  name  (string)
      per event two values: job id or '', data (JSON)
Returns  the number of the last event
Errors   OOM  the server is full: the script is refused before its first write
Cost     O(k)          Crash  a repeat adds the events again ]]
--- @include keys
--- @include clock
--- @include events

local name = ARGV[1]
reserve(1)
local told = {}
for i = 2, #ARGV do told[i - 1] = ARGV[i] end
emit('c:' .. name, told)
return tonumber(redis.call('HGET', meta, 'n')) or 0
