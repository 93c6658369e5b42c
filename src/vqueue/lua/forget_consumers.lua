#!lua flags=allow-oom
--[[ forget_consumers: forget consumers of a group for which nothing is pending
KEYS  the queue's nine keys (include/keys.lua)
ARGV  stream  (ready, express or ev)
      group   (string)
      name …  (consumers, at most 250)
Returns  how many are gone
Cost     O(k)          Crash  a repeat goes on ]]
--- @include keys
--- @include consumers

local stream, group = ({ready = ready, express = express, ev = ev})[ARGV[1]], ARGV[2]
local gone = 0
for i = 3, #ARGV do
  if forget_consumer(stream, group, ARGV[i]) then gone = gone + 1 end
end
return gone
