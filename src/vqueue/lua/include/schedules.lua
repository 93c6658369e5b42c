--[[ Job schedulers. Each has one next slot (ms). The slot's job is made inside the call in
which a worker takes or finishes jobs once the slot is due, so one worker makes it and no
process has to plan. Slots of an interval are computed here; those of a cron pattern are
listed ahead by vqueue/schedules.py, and a scheduler whose list is at its end starves until
some worker lists more.

sched:ID holds  timing (JSON: what makes a changed scheduler start again), name, lines (of
the jobs' records, from the third on), place ('0', 'lifo' or a priority), every, anchor
(ms; slots are anchor + n * every; 0 for a pattern), slot (the next one, '' for none), slots
(those listed after it), tail (the last one that was ever listed), final (1: nothing comes
after what is listed), limit (jobs, 0 for no limit), last (ms: no slot after it, 0 for
none), missed (one, skip, all), overlap (0 or 1), count (jobs made), job (the last one) ]]
local FIRE_MAX = 50
-- Slots that one call looks at; of those that went by most may have their jobs already.
local LOOK_MAX = 500
-- Looks at a job that must end first, and the lateness from which a slot counts as missed.
local HOLD_MS, LATE_MS = 1000, 5000
local NEVER = 9007199254740991

local sched, tails = prefix .. 'sched', prefix .. 'tails'
local function sched_key(id) return prefix .. 'sched:' .. id end

local function note_next_slot()
  local first = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')
  Q.schedule_due = tonumber(first[2])
  if not Q.schedule_due or Q.schedule_due >= NEVER then
    Q.schedule_due = nil
    redis.call('HDEL', meta, 'sched')
  else
    redis.call('HSET', meta, 'sched', first[2])
  end
end

local function load_scheduler(id)
  local flat = redis.call('HGETALL', sched_key(id))
  if #flat == 0 then return nil end
  local s = {at = 1}
  for i = 1, #flat, 2 do s[flat[i]] = flat[i + 1] end
  for _, field in ipairs({'every', 'anchor', 'limit', 'last', 'count', 'slot'}) do
    s[field] = tonumber(s[field])
  end
  return s
end

local function ms_text(ms) return ms and string.format('%.0f', ms) or '' end

local function save_scheduler(id, s, look_at)
  redis.call('HSET', sched_key(id), 'slot', ms_text(s.slot), 'final', s.final, 'count', s.count,
             'job', s.job, 'slots', string.sub(s.slots, s.at))
  redis.call('ZADD', sched, ms_text(look_at), id)
end

-- The slot after this one, or nothing; and where the list goes on after it.
local function slot_after(s, slot)
  local following, at
  if s.every > 0 then
    following = s.anchor + (math.floor((slot - s.anchor) / s.every) + 1) * s.every
    at = s.at
  else
    local _, stop, listed = string.find(s.slots, '(%d+)', s.at)
    following, at = tonumber(listed), stop and stop + 1 or s.at
  end
  if following and s.last > 0 and following > s.last then
    s.final = '1'
    return nil, at
  end
  return following, at
end

-- Leave behind what is due except for the latest slot of it, which is s.slot then unless told.looked
-- has come to its end.
local function skip_to_latest(s, told)
  if s.every > 0 then
    local horizon = s.last > 0 and math.min(now, s.last) or now
    local latest = s.anchor + math.floor((horizon - s.anchor) / s.every) * s.every
    s.slot = math.max(s.slot, latest)
    return
  end
  while told.looked < LOOK_MAX do
    local following, at = slot_after(s, s.slot)
    if not following or following > now then return end
    s.slot, s.at = following, at
    told.looked = told.looked + 1
  end
end

-- Where the job of a slot is: in `line` and never begun, `under way`, or (nil) ended.
local function stage_of(id)
  local job = id ~= '' and load_job(id)
  if not job then return nil end
  local state = standing_of(id, job[1])
  if state == 'completed' or state == 'failed' then return nil end
  local is_in_line = (state == 'waiting' or state == 'prioritized') and tonumber(job.begun) == 0
  return is_in_line and 'line' or 'under way', job, state
end

-- Take the last job out of the line if no worker has begun it; tell whether that was so.
-- In a queue with flows tell_parents follows.
local function withdraw(id)
  local stage, job, state = stage_of(id)
  if stage ~= 'line' then return false end
  leave(id, job[1])
  if Q.has_flows then note_ended(id, 'gone', '') end
  redis.call('UNLINK', unpack(keys_of(id)))
  emit('removed', {id, state})
  return true
end

local function make_job(id, s, told)
  local job_id = 'repeat.' .. id .. '.' .. ms_text(s.slot)
  -- a slot that has had its job, before its scheduler was removed and made again
  if exists(job_id) or is_buried(job_id) then return end
  local job = {'', '', s.lines, priority = tonumber(s.place) or 0, made = 0, begun = 0,
               stalls = 0, started = 0, added = ms_text(now), by = ''}
  if s.place == 'lifo' then
    push_lifo(job_id)
    move(job_id, job, 'p')
  else
    push_back(job_id, job)
  end
  s.job, s.count = job_id, s.count + 1
  for _, value in ipairs({job_id, s.name}) do table.insert(told.added, value) end
  for _, value in ipairs({job_id, ''}) do table.insert(told.waiting, value) end
end

-- What becomes of the slot that is due: run, drop or hold.
local function decide(s)
  local stage = stage_of(s.job)
  if s.overlap == '0' and stage then return s.missed == 'skip' and 'drop' or 'hold' end
  if s.missed == 'all' then return 'run' end
  if stage == 'line' or (s.missed == 'skip' and now - s.slot > LATE_MS) then return 'drop' end
  return 'run'
end

-- Make the jobs of one scheduler that are due; return when to look at it again.
local function fire(id, s, told)
  while s.slot and s.slot <= now do
    if s.limit > 0 and s.count >= s.limit then break end
    if #told.added >= 2 * told.most then return s.slot end
    if s.missed ~= 'all' then skip_to_latest(s, told) end
    if told.looked >= LOOK_MAX then return s.slot end
    told.looked = told.looked + 1
    if s.missed ~= 'all' then
      -- later slots may be due that nobody has listed yet
      if not slot_after(s, s.slot) and s.final ~= '1' then return NEVER end
    end
    local decision = decide(s)
    if decision == 'hold' then return now + HOLD_MS end
    if decision == 'run' then make_job(id, s, told) end
    s.slot, s.at = slot_after(s, s.slot)
  end
  if s.limit > 0 and s.count >= s.limit then s.slot, s.final = nil, '1' end
  return s.slot or NEVER
end

local function tell_fired(told)
  emit('added', told.added)
  emit('waiting', told.waiting)
  if #told.added > 0 then arm() end
end

-- Make the jobs of the schedulers that are due, at most so many (FIRE_MAX); return how many.
local function fire_due(most)
  local told = {added = {}, waiting = {}, looked = 0, most = most}
  local due = redis.call('ZRANGE', sched, '-inf', now, 'BYSCORE', 'LIMIT', 0, FIRE_MAX)
  for _, id in ipairs(due) do
    if #told.added >= 2 * most or told.looked >= LOOK_MAX then break end
    local s = load_scheduler(id)
    if s then
      save_scheduler(id, s, fire(id, s, told))
    else
      redis.call('ZREM', sched, id) -- removed by hand
    end
  end
  note_next_slot()
  tell_fired(told)
  return #told.added / 2
end
