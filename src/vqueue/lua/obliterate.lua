#!lua flags=allow-oom
--[[ obliterate: the queue has no jobs and no settings any more, as of one moment. What
belongs to single jobs and schedulers is left to the caller, and serves nothing from here on.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  force  ('1' also when jobs are active: their workers lose them)
Returns  0 done | refused: the number of active jobs, or -1 as long as parents are still to be
         told of their children (tell_parents.lua)
Cost     O(g), at most 2000 groups (Queue.obliterate has emptied their lines): the server frees the memory in the background
Crash    a repeat finds an empty queue ]]
--- @include keys

local force, GROUPS_MAX = ARGV[1] == '1', 2000
local active = 0
for _, stream in ipairs({ready, express}) do
  local pending = redis.pcall('XPENDING', stream, GROUP)
  if not pending.err then active = active + pending[1] end
end
if active > 0 and not force then return active end
if redis.call('EXISTS', prefix .. 'notices') == 1 then return -1 end
-- the lines of groups: a job that is added now must not find those that were in line before
for _, group in ipairs(redis.call('ZRANGE', prefix .. 'groups', 0, GROUPS_MAX - 1)) do
  redis.call('UNLINK', prefix .. 'g:' .. group)
end
redis.call('UNLINK', unpack(KEYS))
for _, name in ipairs({'children', 'cancels', 'sched', 'tails', 'wks', 'groups', 'ring', 'resting',
                        'turns'}) do
  redis.call('UNLINK', prefix .. name)
end
return 0
