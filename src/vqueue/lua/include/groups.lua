--[[ Groups: jobs with the option `group` wait in the line of their group, and the groups take
turns, whatever the length of their lines.
  g:GID    ZSET    the group's line; scores as those of `prioritized` (include/lanes.lua)
  gs:GID   HASH    active: its jobs that run; paused, concurrency, limit_max, limit_ms: what
                   was set for it
  gw:GID   STRING  jobs that its window has let in, or 'held'; lives as long as the window
  groups   ZSET    groups with a line, by its length
  ring     ZSET    groups of which a job may be taken, by turn, the lowest first
  resting  ZSET    groups that a rate limit holds back, by when it ends (ms)
  turns    HASH    token of an active job → its group
In meta: groups (there are some), turn (the last one given), grouped (jobs in all lines), and
group_concurrency, group_limit_max, group_limit_ms for groups that have none of their own.
A group is looked at whenever something of it changes, so the ring needs no search. ]]
local function line_key(gid) return prefix .. 'g:' .. gid end
local function group_key(gid) return prefix .. 'gs:' .. gid end
local function window_key(gid) return prefix .. 'gw:' .. gid end

-- The group of a job by the options line of its record.
local function group_of(options)
  return options and string.match(options, '"group":{"id":"([^"]+)"')
end

local function begin_groups()
  if not Q.has_groups then redis.call('HSET', meta, 'groups', 1) end
  Q.has_groups = '1'
end

local LIMITS_OF_ONE = {'paused', 'active', 'concurrency', 'limit_max', 'limit_ms'}

local function settings_of(gid)
  local own, group = redis.call('HMGET', group_key(gid), unpack(LIMITS_OF_ONE)), {}
  local all = redis.call('HMGET', meta, 'group_concurrency', 'group_limit_max',
                         'group_limit_ms')
  group.is_paused, group.active = own[1], tonumber(own[2]) or 0
  group.concurrency = tonumber(own[3] or all[1]) or math.huge
  group.max = tonumber(own[4] or all[2])
  group.ms = tonumber(own[4] and own[5] or all[3])
  return group
end

-- A group of a queue that is no more begins anew.
local function freshen_group(gid)
  if not is_stale('g:' .. gid) then return end
  redis.call('UNLINK', line_key(gid), group_key(gid), window_key(gid))
  mark_fresh('g:' .. gid)
end

-- Ms until the group's rate limit lets in another job, 0 when it does now.
local function held_for(gid, group)
  local window = redis.call('GET', window_key(gid))
  local is_full = window and (window == 'held'
                              or group.max and tonumber(window) >= group.max)
  return is_full and math.max(1, redis.call('PTTL', window_key(gid))) or 0
end

-- Put a group where it belongs: into the ring, to rest, or into neither. Returns whether a job
-- of it may be taken. One that has just had its turn comes with its settings.
local function look_at_group(gid, served)
  freshen_group(gid)
  local ring, resting = prefix .. 'ring', prefix .. 'resting'
  local length = redis.call('ZCARD', line_key(gid))
  if length == 0 then
    redis.call('ZREM', prefix .. 'groups', gid)
  else
    redis.call('ZADD', prefix .. 'groups', length, gid)
  end
  local group = served or settings_of(gid)
  if length == 0 or group.is_paused or group.active >= group.concurrency then
    redis.call('ZREM', ring, gid)
    redis.call('ZREM', resting, gid)
    return false
  end
  local wait = held_for(gid, group)
  if wait > 0 then
    redis.call('ZREM', ring, gid)
    redis.call('ZADD', resting, now + wait, gid)
    return false
  end
  if not served then redis.call('ZREM', resting, gid) end
  if served or not redis.call('ZSCORE', ring, gid) then
    redis.call('ZADD', ring, redis.call('HINCRBY', meta, 'turn', 1), gid)
  end
  return true
end

-- A job goes into the line of its group; its priority counts there. Returns its place.
local function join_group(gid, id, priority, order)
  freshen_group(gid)
  redis.call('ZADD', line_key(gid), priority * 4294967296 + order, id)
  redis.call('HINCRBY', meta, 'grouped', 1)
  look_at_group(gid)
  return 'g' .. gid
end

local function leave_group(gid, id)
  local gone = redis.call('ZREM', line_key(gid), id)
  if gone > 0 then redis.call('HINCRBY', meta, 'grouped', -1) end
  look_at_group(gid)
end

-- The first job of the group whose turn it is; nothing when there is no such group.
local function next_in_turn()
  local gid = redis.call('ZRANGE', prefix .. 'ring', 0, 0)[1]
  if not gid then return nil end
  local id = redis.call('ZPOPMIN', line_key(gid))[1]
  if id then redis.call('HINCRBY', meta, 'grouped', -1) end
  return gid, id
end

-- A job of the group was taken under this token. Returns the group's settings.
local function begin_turn(gid, token)
  redis.call('HSET', prefix .. 'turns', token, gid)
  redis.call('HINCRBY', group_key(gid), 'active', 1)
  local group = settings_of(gid)
  if group.ms and redis.call('INCR', window_key(gid)) == 1 then
    redis.call('PEXPIRE', window_key(gid), group.ms)
  end
  return group
end

-- Activations have ended. Returns whether a job of their groups may be taken now.
local function end_turns(tokens)
  local groups = redis.call('HMGET', prefix .. 'turns', unpack(tokens))
  local touched, order, ended = {}, {}, {}
  for i, token in ipairs(tokens) do
    local gid = groups[i]
    if gid then
      ended[#ended + 1] = token
      if redis.call('HINCRBY', group_key(gid), 'active', -1) <= 0 then
        redis.call('HDEL', group_key(gid), 'active')
      end
      if not touched[gid] then order[#order + 1] = gid end
      touched[gid] = true
    end
  end
  if #ended == 0 then return false end
  redis.call('HDEL', prefix .. 'turns', unpack(ended))
  local is_open = false
  for _, gid in ipairs(order) do is_open = look_at_group(gid) or is_open end
  return is_open
end

-- Groups whose rest is over get into the ring.
local function rouse_groups()
  local resting = prefix .. 'resting'
  for _, gid in ipairs(redis.call('ZRANGE', resting, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
    look_at_group(gid)
  end
end

-- When the next rest is over (ms), nothing when no group rests.
local function next_rest()
  return tonumber(redis.call('ZRANGE', prefix .. 'resting', 0, 0, 'WITHSCORES')[2])
end
