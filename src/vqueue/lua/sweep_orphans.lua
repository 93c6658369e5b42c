#!lua flags=allow-oom
--[[ sweep_orphans: unlink keys of jobs that belong to nothing: records of jobs that are in no
place, what was kept beside a record that is gone, deduplication ids of jobs that are gone; and
schedulers, groups and parents to be told that are not listed
KEYS  the queue's nine keys (include/keys.lua)
ARGV  is_new  ('1' after obliterate: also deduplication ids that stand for a time, though their
              jobs may be gone, are of no job of the queue as it is now)
      key …   (keys of the queue without its prefix, at most 100; others are left alone)
Returns  the number of jobs whose records were unlinked
Cost     O(k log n)          Crash  a repeat finds less ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @include lanes
--- @include pushing
--- @include standing
--- @include enter
--- @include dedup

local is_new = ARGV[1] == '1'

-- what is kept beside a record may have been looked at before it, when it was no orphan yet
local BESIDE = {':x', ':log', ':par', ':deps', ':vals', ':ign', ':bad'}
local function forget(id)
  forget_owner(id, load_job(id)[4])
  redis.call('UNLINK', job_key(id))
  for _, part in ipairs(BESIDE) do redis.call('UNLINK', job_key(id) .. part) end
end

local orphans = 0
local function judge(name)
  local key = prefix .. name
  local id = string.match(name, '^j:([^:]+)$')
  local owner = string.match(name, '^j:([^:]+):')
  local unique = string.match(name, '^dn:(.+)$')
  local scheduler = string.match(name, '^sched:(.+)$')
  local group = string.match(name, '^g:(.+)$')
  if id then
    local record = record_of(id)
    if record and not is_in_place(id, place_of(record)) then
      forget(id)
      orphans = orphans + 1
    end
  elseif owner then
    if redis.call('EXISTS', job_key(owner)) == 0 then redis.call('UNLINK', key) end
  elseif unique then
    if redis.call('EXISTS', prefix .. 'dd:' .. unique) == 0 then redis.call('UNLINK', key) end
  elseif scheduler then
    if not redis.call('ZSCORE', prefix .. 'sched', scheduler) then redis.call('UNLINK', key) end
  elseif group then
    if not redis.call('ZSCORE', prefix .. 'groups', group) then redis.call('UNLINK', key) end
  elseif string.sub(name, 1, 7) == 'untold:' then
    if redis.call('EXISTS', prefix .. 'notices') == 0 then redis.call('UNLINK', key) end
  elseif string.sub(name, 1, 3) == 'dd:' and (is_new or redis.call('PTTL', key) == -1) then
    local job = redis.call('GET', key)
    if job and redis.call('EXISTS', job_key(job)) == 0 then
      redis.call('UNLINK', key, prefix .. 'dn:' .. string.sub(name, 4))
    end
  end
end

for i = 2, #ARGV do judge(ARGV[i]) end
return orphans
