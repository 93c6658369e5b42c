#!lua flags=no-writes
--[[ group: what is known of some groups
KEYS  the queue's nine keys (include/keys.lua)
ARGV  gid …  (at most 250)
Returns  per group {jobs in its line, active, 1 when paused, concurrency or -1, jobs and ms of
         its rate limit or -1, ms until its rate limit lets in another job or 0}
Cost     O(k log n)          Crash  reads only ]]
--- @include keys
--- @include clock
--- @include record
--- @include moving
--- @lazy groups

local told = {}
for k, gid in ipairs(ARGV) do
  if is_stale('g:' .. gid) then gid = '' end -- nothing is known of it, as of no group
  local group = settings_of(gid)
  local concurrency = group.concurrency < math.huge and group.concurrency or -1
  told[k] = {redis.call('ZCARD', line_key(gid)), group.active, group.is_paused and 1 or 0,
             concurrency, group.max or -1, group.max and group.ms or -1, held_for(gid, group)}
end
return told
