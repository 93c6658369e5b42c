--[[ The keys of one queue, the same nine for every script (vqueue/keys.py says
what each holds). Job keys share the hash tag and are derived from the prefix. ]]
local meta, ready, express = KEYS[1], KEYS[2], KEYS[3]
local prioritized, delayed, completed, failed = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local wake, ev = KEYS[8], KEYS[9]
local prefix = string.sub(meta, 1, -5)
local children = prefix .. 'children'
local jobs_prefix = prefix .. 'j:'
local home = prefix -- of the queue that the script was called for: flow.lua enters others
local GROUP = 'workers'
--[[ What meta tells of the queue, read by `reserve`: events_cap, longest_lease (ms), has_flows,
has_groups, gate (what keeps jobs from being taken: include/gate.lua), schedule_due (ms of the
next slot of a job scheduler, nil for none), last_buried (ms at which a job was last removed,
nil for never), razed (below), partials_until (ms until which there may be partial results). One table, since Lua takes longer over each local that functions
share. ]]
local Q = {gate = ''}

local function job_key(id) return jobs_prefix .. id end
local function live_key(id) return jobs_prefix .. id .. ':x' end
local function log_key(id) return jobs_prefix .. id .. ':log' end
local function partials_key(id) return prefix .. 'part:' .. id end
local function tombstone_key(id) return prefix .. 'gone:' .. id end

--- @later
--[[ An obliterated queue goes on, empty, while keys of what it held are still looked for. Until
they are gone meta's `razed` names the ms that begins the queue as it is now. What stays behind
does not count: records that are in no place, and groups (g:), deduplication ids (dd:) and
tombstones (gone:) that are not in the set `fresh`, where whoever makes one lists it. ]]
local function razed()
  if Q.razed == nil then Q.razed = redis.call('HGET', meta, 'razed') end
  return Q.razed
end

local function is_stale(name)
  return razed() and redis.call('SISMEMBER', prefix .. 'fresh', name) == 0
end

local function mark_fresh(name)
  if razed() then redis.call('SADD', prefix .. 'fresh', name) end
end

-- Whether a job of the id has ended, and was removed, less than ten minutes ago.
local function is_buried(id)
  return redis.call('EXISTS', tombstone_key(id)) == 1 and not is_stale('gone:' .. id)
end
