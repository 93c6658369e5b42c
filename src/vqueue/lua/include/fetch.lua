--[[ Taking jobs, the body of take.lua and the tail of finish.lua: promote what is
due, make the jobs of due slots, then hand out front-of-line jobs, then `ready`, then
prioritized ones. Taking writes nothing on a `ready` job: active is what is pending for the
group. ]]
local PROMOTE_MAX = 60
-- ids that a fetch mints beside one per job that it hands out
local FETCH_IDS = PROMOTE_MAX + FIRE_MAX + 9

-- What a call may do beside its own jobs, counted in old jobs that are removed: a job that is
-- promoted costs twice as much, a parent that is told or a dead letter three times and a slot that
-- is fired six times. Each kind has its least share, so that all go on, and the next call does what
-- is left. All of a call's dead letters go with it. One that has done more than this takes few jobs.
local rare_left = 300
local LADEN_MAX = 50

local function share(most, least, cost)
  return math.max(least, math.min(most, math.floor(rare_left / cost)))
end

-- ms at which the next delayed job is due, nil when there is none
local function next_due()
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  return first[1] and math.floor(tonumber(first[2]) / 4096)
end

-- Jobs are told flat: token, id, record, and so on.
local TOLD = 3

-- Hand out up to `count` new entries of a lane.
local function deliver(stream, mark, consumer, count, jobs)
  local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', count,
                            'STREAMS', stream, '>')
  if not reply then return end
  if reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then error(reply) end
    return restore_group(stream)
  end
  local entries, keys = reply[1][2], {}
  for i = 1, #entries do keys[i] = jobs_prefix .. entries[i][2][2] end
  local records = redis.call('MGET', unpack(keys))
  local at, gone = #jobs, {}
  for i = 1, #entries do
    local token, record = mark .. entries[i][1], records[i]
    if record and string.sub(record, 1, #token) == token then
      jobs[at + 1], jobs[at + 2], jobs[at + 3] = token, entries[i][2][2], record
      at = at + TOLD
    else
      gone[#gone + 1] = token -- its job was removed by hand, or stands elsewhere
    end
  end
  if #gone == 0 then return end
  drop(gone)
  arm() -- the taker was handed fewer than it asked for, and goes to sleep
end

-- whether a worker that filled its slots has left jobs in the line
local function work_remains(jobs, has_prioritized)
  if has_prioritized and redis.call('ZCARD', prioritized) > 0 then return true end
  if Q.has_groups and redis.call('ZCARD', prefix .. 'ring') > 0 then return true end
  local newest = redis.call('XREVRANGE', ready, '+', '-', 'COUNT', 1)[1]
  return newest and newest[1] ~= jobs[#jobs - TOLD + 1]
end

-- Returns the jobs and the ms until more may be there, because a delayed job or a slot is
-- due or a limit gives way (-1: nobody knows). own_max and own_ms are the worker's own rate
-- limit. is_woken: the worker may have come by a wake-up, and passes it on while work remains.
local function fetch(consumer, asked, lease, own_max, own_ms, is_woken)
  know_lease(lease)
  local due = next_due()
  if due and due <= now then
    rare_left = rare_left - 2 * promote_due(share(PROMOTE_MAX, 10, 2))
    due = next_due()
  end
  if Q.schedule_due and Q.schedule_due <= now then fire_due(share(FIRE_MAX, 5, 6)) end
  local jobs = {}
  local want, opens_in = asked, nil
  local is_gated = Q.gate ~= '' or own_max
  if Q.has_groups then rouse_groups() end
  if rare_left < 0 then want = math.min(want, LADEN_MAX) end
  if is_gated then want, opens_in = admitted(want, own_max, own_ms) end
  if want > 0 then
    local has_prioritized = redis.call('ZCARD', prioritized) > 0
    if has_prioritized then express_lane(consumer, want, '(4294967296', jobs) end
    local left = want - #jobs / TOLD
    if left > 0 then deliver(ready, '', consumer, left, jobs) end
    if has_prioritized then express_lane(consumer, want - #jobs / TOLD, '+inf', jobs) end
    if Q.has_groups then group_lane(consumer, want - #jobs / TOLD, jobs) end
    if lease < Q.longest_lease and #jobs > 0 then shorten_lease(jobs, consumer, lease) end
    local active = {}
    for i = 2, #jobs, TOLD do
      active[#active + 1] = jobs[i]
      active[#active + 1] = consumer
    end
    emit('active', active)
    if is_gated then count_taken(#jobs / TOLD) end
    -- where a limit was reached there is nobody who could take more
    if is_woken and want == asked and #jobs == want * TOLD and work_remains(jobs, has_prioritized) then
      arm()
    end
    if rare_left < 0 and #jobs >= LADEN_MAX * TOLD and #jobs < asked * TOLD then arm() end
  end
  if Q.schedule_due and Q.schedule_due < (due or math.huge) then due = Q.schedule_due end
  local rested = Q.has_groups and next_rest()
  if rested and rested < (due or math.huge) then due = rested end
  if not due then return jobs, opens_in or -1 end
  local due_in = math.max(0, due - now)
  return jobs, math.min(due_in, opens_in or due_in)
end

--- @later
local function promote_due(most)
  local due = redis.call('ZRANGE', delayed, '-inf', now * 4096 + 4095,
                         'BYSCORE', 'LIMIT', 0, most)
  local told = {waiting = {}, parked = {}}
  for _, id in ipairs(due) do
    local job = load_job(id)
    if job and job[1] == 'd' then come_due(id, job, told) end
  end
  redis.call('ZREM', delayed, unpack(due))
  emit('waiting', told.waiting)
  emit('waiting-children', told.parked)
  arm()
  return #due
end

-- A missing group was destroyed by hand (a new queue gets its groups in
-- start_clock). It restarts at the end of the stream, so that entries of running
-- jobs are not handed out as they are; repair.lua queues them again.
local function restore_group(stream)
  redis.call('XGROUP', 'CREATE', stream, GROUP, '$', 'MKSTREAM')
  redis.call('HSET', meta, 'repair', 1)
end

local function express_lane(consumer, count, max_score, jobs)
  if count <= 0 then return end
  local ids = redis.call('ZRANGE', prioritized, '-inf', max_score,
                         'BYSCORE', 'LIMIT', 0, count)
  if #ids == 0 then return end
  for _, id in ipairs(ids) do
    local job = load_job(id)
    if job and job[1] == 'p' then
      move(id, job, 'x' .. redis.call('XADD', express, mint(), 'j', id))
    end
  end
  redis.call('ZREM', prioritized, unpack(ids))
  deliver(express, 'x', consumer, count, jobs)
end

-- A job of each group in turn. A turn costs as much as several plain jobs.
local TURNS_MAX = 50
local function group_lane(consumer, count, jobs)
  local turns, entered = share(TURNS_MAX, 10, 3), 0
  for _ = 1, math.min(count, turns) do
    local gid, id = next_in_turn()
    if not gid then break end
    local job = id and load_job(id)
    if job and job[1] == 'g' .. gid then
      local token = 'x' .. redis.call('XADD', express, mint(), 'j', id)
      move(id, job, token)
      look_at_group(gid, begin_turn(gid, token))
      entered = entered + 1
    else
      look_at_group(gid)
    end
  end
  if entered > 0 then deliver(express, 'x', consumer, entered, jobs) end
  if entered == turns and turns < count then arm() end
end

-- a lease shorter than the queue's longest: idle time starts that much later
local function shorten_lease(jobs, consumer, lease)
  local tokens = {}
  for i = 1, #jobs, TOLD do table.insert(tokens, jobs[i]) end
  renew(tokens, consumer, lease)
end
