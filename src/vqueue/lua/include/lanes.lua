--[[ The waiting line. A job without priority waits as an entry of `ready`. Front,
LIFO and priority jobs wait in `prioritized` and get an entry of `express` when they
are taken.

Scores of `prioritized`: priority * 2^32 + place. Places fall from 2^31 for the front
of a priority, rise from 2^31 for its back; at priority 0 (whose back is `ready`) the
upper half is LIFO and falls from 2^32. A place is good for 2^31 calls of its kind. ]]

-- the fence: is this entry pending for this consumer?
local function held(token, consumer)
  local stream, id = entry_of(token)
  local reply = redis.pcall('XPENDING', stream, GROUP, id, id, 1, consumer)
  return not reply.err and #reply == 1
end

local function group_by_lane(tokens)
  local has_marked = false
  for i = 1, #tokens do
    if string.byte(tokens[i]) == 120 then
      has_marked = true
      break
    end
  end
  if not has_marked then return {{ready, tokens, ''}} end
  return split_by_lane(tokens)
end

-- The same for many entries, as a set of those that are held: one look at the pending
-- list of the consumer from the first of them on, which mostly finds them all.
local function held_of(tokens, consumer)
  local is_held = {}
  for _, lane in ipairs(group_by_lane(tokens)) do
    local stream, ids, mark = lane[1], lane[2], lane[3]
    if #ids > 2 then
      local pending = redis.pcall('XPENDING', stream, GROUP, ids[1], '+', #ids, consumer)
      if not pending.err then
        for i = 1, #pending do is_held[mark .. pending[i][1]] = true end
      end
    end
    for i = 1, #ids do
      local token = mark .. ids[i]
      if not is_held[token] then is_held[token] = held(token, consumer) end
    end
  end
  return is_held
end

-- Letters of the gate: asked here, since what stands behind it is mostly not needed.
local function any_cancelled() return Q.gate ~= '' and string.find(Q.gate, 'c', 1, true) ~= nil end
local function is_paused() return Q.gate ~= '' and string.find(Q.gate, 'p', 1, true) ~= nil end

-- wake one blocked worker; it wakes the next one while work remains
local function arm()
  if not is_paused() then redis.call('ZADD', wake, 0, '0') end
end

-- Whether no job waits in line or runs; those that were delayed, or wait for children, may.
local function is_drained()
  return redis.call('XLEN', ready) == 0 and redis.call('XLEN', express) == 0
    and redis.call('ZCARD', prioritized) == 0
    and not (Q.has_groups and tonumber(redis.call('HGET', meta, 'grouped') or 0) > 0)
end

-- end activations: the entries leave the pending list and the stream
local function drop(tokens)
  for _, lane in ipairs(group_by_lane(tokens)) do
    local stream, ids = lane[1], lane[2]
    if #ids > 0 then
      redis.call('XACK', stream, GROUP, unpack(ids))
      redis.call('XDEL', stream, unpack(ids))
    end
  end
  if Q.has_groups and #tokens > 0 and end_turns(tokens) then arm() end
end

--- @later
local function split_by_lane(tokens)
  local plain, marked = {}, {}
  for i = 1, #tokens do
    local token = tokens[i]
    if string.byte(token) == 120 then
      marked[#marked + 1] = string.sub(token, 2)
    else
      plain[#plain + 1] = token
    end
  end
  return {{ready, plain, ''}, {express, marked, 'x'}}
end
