--[[ Retention of finished jobs. A keep rule is "<count> <age ms>", -1 for no limit,
count 0 to keep nothing, and may have behind it how many jobs go in a call at most. A removed
job leaves a tombstone for ten minutes after its end, so that a repeat of its add does not run
it again and a repeat of its finish is answered "done". At most 250 jobs go in a call; the next
finish goes on. ]]
local TOMBSTONE_MS, EVICTED_MAX = 600000, 250
-- how many may still go in this call
local evictable = EVICTED_MAX

local function parse_keep(rule)
  local count, age, most = string.match(rule, '(%-?%d+) (%-?%d+) ?(%d*)')
  return tonumber(count), tonumber(age), math.min(tonumber(most) or EVICTED_MAX, EVICTED_MAX)
end

local is_noted = false

-- Keys of jobs that end and are not kept: they go when the parents of the jobs were told. A script
-- that breaks off before leaves the jobs active, to be ended again.
local doomed = {}

-- Whether tombstones may exist, which spares a look for each added job.
local function any_buried() return Q.last_buried and now - Q.last_buried <= TOMBSTONE_MS end

local function evict(set, rule)
  local count, age, most = parse_keep(rule)
  most = math.min(most, evictable)
  if age >= 0 then
    local old = redis.call('ZRANGE', set, '-inf', now - age, 'BYSCORE', 'LIMIT', 0, most)
    if #old > 0 then remove_finished(set, old) end
    most, evictable = most - #old, evictable - #old
  end
  if count > 0 then
    local excess = math.min(redis.call('ZCARD', set) - count, most)
    if excess > 0 then
      remove_finished(set, redis.call('ZRANGE', set, 0, excess - 1))
      evictable = evictable - excess
    end
  end
end

--- @later
local function bury(id, activation)
  redis.call('SET', tombstone_key(id), activation, 'PX', TOMBSTONE_MS)
  mark_fresh('gone:' .. id)
  if not is_noted then redis.call('HSET', meta, 'buried', now) end
  is_noted = true
end

-- All keys of a job.
local function keys_of(id)
  local key = job_key(id)
  if not Q.has_flows then return {key, live_key(id), log_key(id)} end
  return {key, live_key(id), log_key(id), key .. ':par', key .. ':deps', key .. ':vals',
          key .. ':ign', key .. ':bad'}
end

-- Whether partial results may be kept, by which a removed job is to leave its own alone.
local function any_partials() return now < (Q.partials_until or 0) or razed() end

-- Partial results outlive their job. Those of an earlier job of the id go with this one: a reader
-- knows them apart by when the job was added.
local function drop_earlier_partials(id, added)
  redis.pcall('XTRIM', partials_key(id), 'MINID', string.format('%.0f', added * 1048576))
end

local function doom(id)
  for _, key in ipairs(keys_of(id)) do doomed[#doomed + 1] = key end
end

local function unlink_doomed()
  for i = 1, #doomed, 1000 do
    redis.call('UNLINK', unpack(doomed, i, math.min(i + 999, #doomed)))
  end
  doomed = {}
end

-- By the record of a job that has ended: the activation that was the last to end, '' when there is
-- none, and when the job was added (ms), nothing when there is no record.
local function last_activation(record)
  local added, activation = string.match(
    record or '', '^[^\n]*\n%d+ %d+ %d+ %d+ %d+ (%d+) ([^\n]*)')
  return activation or '', added
end

local function remove_finished(set, ids)
  local keys, gone = {}, {}
  for i, id in ipairs(ids) do keys[i] = job_key(id) end
  local records = redis.call('MGET', unpack(keys))
  local ended = redis.call('ZMSCORE', set, unpack(ids))
  for i, id in ipairs(ids) do
    local activation, added = last_activation(records[i])
    if now - (tonumber(ended[i]) or 0) < TOMBSTONE_MS then bury(id, activation) end
    if added and any_partials() then drop_earlier_partials(id, added) end
    for _, key in ipairs(keys_of(id)) do table.insert(gone, key) end
  end
  redis.call('UNLINK', unpack(gone))
  redis.call('ZREM', set, unpack(ids))
end
