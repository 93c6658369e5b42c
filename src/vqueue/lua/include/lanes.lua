--[[ The waiting line. A job without priority waits as an entry of `ready`. Front,
LIFO and priority jobs wait in `prioritized` and get an entry of `express` when they
are taken. An entry token is the entry's id, with an x before it on `express`.

Scores of `prioritized`: priority * 2^32 + place. Places fall from 2^31 for the front
of a priority, rise from 2^31 for its back; at priority 0 (whose back is `ready`) the
upper half is LIFO and falls from 2^32. A place is good for 2^31 calls of its kind. ]]
local function lane_of(token)
  if string.byte(token) == 120 then return express, string.sub(token, 2) end
  return ready, token
end

-- Fields of a job, or nothing when there is no job: its hash was deleted by hand, or
-- something else lies at its key. The first field must be one that every job has.
local function job_fields(id, ...)
  local fields = redis.pcall('HMGET', job_key(id), ...)
  if fields.err or not fields[1] then return nil end
  return fields
end

-- the fence: is this entry pending for this consumer?
local function held(token, consumer)
  local stream, id = lane_of(token)
  local reply = redis.pcall('XPENDING', stream, GROUP, id, id, 1, consumer)
  return not reply.err and #reply == 1
end

-- The same for many entries, as a set of those that are held: one look at the pending
-- list of the consumer instead of one for each, as far as that look reaches.
local function held_of(tokens, consumer)
  local is_held = {}
  if #tokens < 8 then
    for _, token in ipairs(tokens) do is_held[token] = held(token, consumer) end
    return is_held
  end
  local reach, truncated = 2 * #tokens, false
  for stream, mark in pairs({[ready] = '', [express] = 'x'}) do
    local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', reach, consumer)
    if not pending.err then
      for i = 1, #pending do is_held[mark .. pending[i][1]] = true end
      truncated = truncated or #pending == reach
    end
  end
  if truncated then
    for _, token in ipairs(tokens) do
      if not is_held[token] then is_held[token] = held(token, consumer) end
    end
  end
  return is_held
end

local function push_back(id, priority)
  if priority == 0 then
    local entry = redis.call('XADD', ready, mint(), 'j', id)
    redis.call('HSET', job_key(id), 'e', entry)
    redis.call('HDEL', job_key(id), 's')
    return
  end
  local place = 2147483648 + redis.call('HINCRBY', meta, 'back', 1)
  redis.call('ZADD', prioritized, priority * 4294967296 + place, id)
  redis.call('HSET', job_key(id), 's', 'prioritized')
end

local function push_front(id, priority)
  local place = 2147483648 - redis.call('HINCRBY', meta, 'front', 1)
  redis.call('ZADD', prioritized, priority * 4294967296 + place, id)
  redis.call('HSET', job_key(id), 's', 'prioritized')
end

local function push_lifo(id)
  redis.call('ZADD', prioritized, 4294967295 - redis.call('HINCRBY', meta, 'lifo', 1), id)
  redis.call('HSET', job_key(id), 's', 'prioritized')
end

local function group_by_lane(tokens)
  local by_lane = {[ready] = {}, [express] = {}}
  for _, token in ipairs(tokens) do
    local stream, id = lane_of(token)
    local ids = by_lane[stream]
    ids[#ids + 1] = id
  end
  return by_lane
end

-- Start the lease of held entries again: idle time is what the sweep judges by, so
-- a lease shorter than the queue's longest starts with the difference already gone.
local function renew(tokens, consumer, lease)
  local idle = math.max(0, (longest_lease or lease) - lease)
  for stream, ids in pairs(group_by_lane(tokens)) do
    if #ids > 0 then
      local claim = {stream, GROUP, consumer, 0}
      for _, id in ipairs(ids) do table.insert(claim, id) end
      for _, option in ipairs({'IDLE', idle, 'JUSTID'}) do table.insert(claim, option) end
      redis.call('XCLAIM', unpack(claim))
    end
  end
end

-- end activations: the entries leave the pending list and the stream
local function drop(tokens)
  for stream, ids in pairs(group_by_lane(tokens)) do
    if #ids > 0 then
      redis.call('XACK', stream, GROUP, unpack(ids))
      redis.call('XDEL', stream, unpack(ids))
    end
  end
end

-- wake one blocked worker; it wakes the next one while work remains
local function arm() redis.call('ZADD', wake, 0, '0') end
