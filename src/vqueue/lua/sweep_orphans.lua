#!lua flags=allow-oom
--[[ sweep_orphans: unlink keys of jobs that belong to nothing: records of jobs that are in no
place, what was kept beside a record that is gone, deduplication ids of jobs that are gone; and
schedulers, groups and parents to be told that are not listed. After obliterate (include/keys.lua)
all that the queue as it is now has not made; the parents of the jobs are told that these are gone
KEYS  the queue's nine keys (include/keys.lua)
ARGV  key …   (keys of the queue without its prefix, at most 50; others are left alone)
Returns  the number of jobs whose records were unlinked. tell_parents is to follow
Cost     O(k log n)          Crash  a repeat finds less ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing
--- @include retention
--- @include enter
--- @include dedup
--- @include flow

local unlink = function(...) redis.call('UNLINK', ...) end
local function is_there(key) return redis.call('EXISTS', key) == 1 end
local function is_listed(list, member) return redis.call('ZSCORE', prefix .. list, member) end

-- pairs for the event
local removed = {}
local judge = {}

-- a record, or what is kept beside one
function judge.j(key, id, part)
  local record = record_of(id)
  if part then
    if not is_there(job_key(id)) then unlink(key) end
  elseif record and not is_in_place(id, place_of(record)) then
    forget(id)
    table.insert(removed, id)
    table.insert(removed, '')
  end
end

function judge.dd(key, unique)
  local owner = redis.call('GET', key)
  local is_orphan = redis.call('PTTL', key) == -1 and owner and not is_there(job_key(owner))
  if is_orphan or is_stale('dd:' .. unique) then unlink(key, next_key(unique)) end
end

-- A job that is kept aside enters at the end of its owner, whose key may have gone before.
function judge.dn(key, unique)
  if is_there(owner_key(unique)) then return end
  local owner = redis.call('HGET', key, 'owner')
  local record = owner and record_of(owner)
  local place = record and place_of(record)
  if not place or place == 'c' or place == 'f' or not is_in_place(owner, place) then unlink(key) end
end

function judge.sched(key, scheduler)
  if not is_listed('sched', scheduler) then unlink(key) end
end

function judge.g(key, group)
  local is_mine = not is_stale('g:' .. group)
  if not razed() then is_mine = is_listed('groups', group) end
  if not is_mine then unlink(key) end
end

function judge.gs(key, group)
  if is_stale('g:' .. group) then unlink(key) end
end
judge.gw = judge.gs

function judge.gone(key, id)
  if is_stale('gone:' .. id) then unlink(key) end
end

function judge.untold(key)
  if not is_there(prefix .. 'notices') then unlink(key) end
end

-- of a worker that has said nothing since
function judge.wk(key, consumer)
  if razed() and not is_listed('wks', consumer) then unlink(key) end
end

-- of activations before this queue began: their fences tell
function judge.part(key)
  if not razed() then return end
  local first = string.format('%.0f', razed() * 1048576)
  if #redis.call('XRANGE', key, first, '+', 'COUNT', 1) == 0 then unlink(key) end
end

reserve(1)
for _, name in ipairs(ARGV) do
  local kind, of = string.match(name, '^(%l+):(.+)$')
  local id, part = string.match(of or '', '^([^:]+)(:?.*)$')
  if kind == 'j' then
    judge.j(prefix .. name, id, part ~= '' and part)
  elseif judge[kind] then
    judge[kind](prefix .. name, of)
  end
end
emit('removed', removed)
if #notices > 0 then tell_parents(0) end
return #removed / 2
