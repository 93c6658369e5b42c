#!lua flags=no-writes
--[[ workers: who was there lately
KEYS  the queue's nine keys (include/keys.lua)
ARGV  silent  (ms after which a worker is left out)
Returns  {now (ms), consumer, ms of its last word, info (JSON), …}, at most 250, latest first
Cost     O(log n + w), w workers          Crash  reads only ]]
--- @include keys
--- @include clock
--- @include workers

local silent = tonumber(ARGV[1])
local found = {now}
for _, worker in ipairs(known_workers(silent)) do
  found[#found + 1] = worker.consumer
  found[#found + 1] = worker.seen
  found[#found + 1] = worker.info
end
return found
