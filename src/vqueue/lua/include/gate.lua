--[[ The gate: what keeps waiting jobs from being taken. The field `gate` of meta holds a
letter for each thing that is on, so that a queue without any pays for nothing else:
  p  paused
  l  limits, in meta too: concurrency (active jobs of the queue), limit_max and limit_ms
     (jobs that may start in a window of so many ms), held_until (no job starts before, ms)
  c  cancellations of active jobs, which keep nothing: include/cancel.lua
The window that counts is window_end (ms) and window_used (jobs that it has let in). A
worker may bring a limit of its own, which holds where the queue has none. ]]
local LIMITS = {'concurrency', 'limit_max', 'limit_ms', 'held_until', 'window_end',
                'window_used'}

local function set_gate(letter, is_on)
  local others = string.gsub(Q.gate, letter, '')
  Q.gate = is_on and others .. letter or others
  if Q.gate == '' then redis.call('HDEL', meta, 'gate') else redis.call('HSET', meta, 'gate', Q.gate) end
end

local function read_limits()
  local values, limits = redis.call('HMGET', meta, unpack(LIMITS)), {}
  for i, name in ipairs(LIMITS) do limits[name] = tonumber(values[i]) end
  return limits
end

-- After a limit was changed or has run out: is there still one?
local function note_limits(limits)
  set_gate('l', limits.concurrency or limits.limit_max or limits.held_until)
end

-- No job of the queue is taken for so many ms; 0 ends that, and the window, at once.
local function hold_back(ms)
  local limits = read_limits()
  if ms > 0 then
    limits.held_until = math.max(limits.held_until or 0, now + ms)
    redis.call('HSET', meta, 'held_until', limits.held_until)
  else
    limits.held_until = nil
    redis.call('HDEL', meta, 'held_until', 'window_end', 'window_used')
  end
  note_limits(limits)
end

local function active_jobs() return pending_of(ready) + pending_of(express) end

-- What the window has let in: its end and count, those of a new one when it is over.
local function window_of(limits, length_ms)
  if (limits.window_end or 0) > now then return limits.window_end, limits.window_used or 0 end
  return now + length_ms, 0
end

local window -- set by admitted where a window counts: {ends, used}

-- Returns how many of `want` jobs may be taken, and in how many ms more may be (nil when
-- that is not a matter of time). own_max and own_ms are the worker's limit, if it has one.
-- Not needed without one while nothing is on.
local function admitted(want, own_max, own_ms)
  if is_paused() then return 0 end
  local limits = read_limits()
  if limits.held_until then
    if limits.held_until > now then return 0, limits.held_until - now end
    redis.call('HDEL', meta, 'held_until')
    limits.held_until = nil
    note_limits(limits)
  end
  if limits.concurrency then want = math.min(want, limits.concurrency - active_jobs()) end
  local max, length_ms = limits.limit_max or own_max, limits.limit_ms
  if not limits.limit_max then length_ms = own_ms end
  if max then
    local ends, used = window_of(limits, length_ms)
    if used >= max then return 0, ends - now end
    window = {ends = ends, used = used}
    want = math.min(want, max - used)
  end
  return math.max(want, 0)
end

-- Say how many were taken, after admitted.
local function count_taken(count)
  if not window or count == 0 then return end
  redis.call('HSET', meta, 'window_end', window.ends, 'window_used', window.used + count)
end
