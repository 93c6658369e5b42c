--[[ Where a job stands, told by the first line of its record, and taking it away from
there. ]]
local STATES = {d = 'delayed', w = 'waiting-children', c = 'completed', f = 'failed'}

local function set_of(place)
  if place == 'p' then return prioritized end
  if place == 'd' then return delayed end
  if place == 'w' then return children end
  if place == 'c' then return completed end
  if place == 'f' then return failed end
end

local function consumer_of(token)
  local stream, id = entry_of(token)
  local reply = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  return not reply.err and reply[1] and reply[1][2]
end

-- Whether the place that a record names holds the job. A place of a later version does.
local function is_in_place(id, place)
  local stream, entry = entry_of(place)
  if stream then return #redis.call('XRANGE', stream, entry, entry) == 1 end
  local group = string.match(place, '^g(.+)$')
  if group then
    return not is_stale('g:' .. group) and redis.call('ZSCORE', prefix .. 'g:' .. group, id)
  end
  local set = set_of(place)
  return not set or redis.call('ZSCORE', set, id)
end

-- Whether a record is of a queue that is no more.
local function is_bygone(id, place) return razed() and not is_in_place(id, place) end

-- Returns state, consumer ('' unless active) and ms (delayed: when it is due; finished:
-- when it ended), or nothing when the line names no place, or one of a queue that is no more.
local function standing_of(id, place)
  if is_bygone(id, place) then return nil end
  if place == 'p' then
    local score = tonumber(redis.call('ZSCORE', prioritized, id)) or 0
    return score < 4294967296 and 'waiting' or 'prioritized', '', 0
  end
  if string.byte(place) == 103 then return 'waiting', '', 0 end
  if place == 'w' then return STATES.w, '', 0 end
  local set = set_of(place)
  if set then
    local score = tonumber(redis.call('ZSCORE', set, id)) or 0
    return STATES[place], '', math.floor(score / (place == 'd' and 4096 or 1))
  end
  if not entry_of(place) then return nil end
  local consumer = consumer_of(place)
  return consumer and 'active' or 'waiting', consumer or '', 0
end

-- What snapshot.lua tells of a job; false when there is none, or it is not a record.
local function tell(id)
  local record = record_of(id)
  if not record then return false end
  local state, consumer, ms = standing_of(id, place_of(record))
  if not state then return false end
  local live = redis.pcall('HMGET', live_key(id), 'g', 'd', 's')
  return {state, consumer, ms, record, live[1] or '', live[2] or '', live[3] or ''}
end

-- take a job that is not active out of its place
local function leave(id, place)
  local stream, entry = entry_of(place)
  if stream then return redis.call('XDEL', stream, entry) end
  if string.byte(place) == 103 then return leave_group(string.sub(place, 2), id) end
  redis.call('ZREM', set_of(place), id)
end

-- Whether a job of the queue as it is now has the id. What lies there may be stale.
local function exists(id)
  if redis.call('EXISTS', job_key(id)) == 0 then return false end
  if not razed() then return true end
  local record = record_of(id)
  return not record or is_in_place(id, place_of(record))
end
