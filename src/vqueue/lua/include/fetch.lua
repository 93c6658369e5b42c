--[[ Taking jobs, the body of take.lua and the tail of finish.lua: promote what is
due, then hand out front-of-line jobs, then `ready`, then prioritized ones. Taking
writes nothing on a `ready` job: active is what is pending for the group. ]]
local PROMOTE_MAX = 250

local function promote_due()
  local due = redis.call('ZRANGE', delayed, '-inf', now * 4096 + 4095,
                         'BYSCORE', 'LIMIT', 0, PROMOTE_MAX)
  if #due == 0 then return end
  local waiting = {}
  for _, id in ipairs(due) do
    local job = job_fields(id, 'n', 'p')
    if job then
      push_back(id, tonumber(job[2]) or 0)
      table.insert(waiting, id)
      table.insert(waiting, 'delayed')
    end
  end
  redis.call('ZREM', delayed, unpack(due))
  emit('waiting', waiting)
  arm()
end

-- A missing group was destroyed by hand (a new queue gets its groups in
-- start_clock). It restarts at the end of the stream, so that entries of running
-- jobs are not handed out as they are; repair.lua queues them again.
local function restore_group(stream)
  redis.call('XGROUP', 'CREATE', stream, GROUP, '$', 'MKSTREAM')
  redis.call('HSET', meta, 'repair', 1)
end

-- What take.lua tells of a job, and for its own use the entry that the job stands for.
local JOB_FIELDS = {'n', 'd', 'o', 't', 'p', 'atm', 'ats', 'stc', 'g', 'e'}

-- The job that an entry stands for, as take.lua tells it; nothing when there is none, or
-- when the job has moved on to another entry.
local function job_of(id, token)
  local fields = job_fields(id, unpack(JOB_FIELDS))
  if not fields or fields[#JOB_FIELDS] ~= token then return nil end
  fields[#JOB_FIELDS] = nil
  return {id, token, fields}
end

local function deliver(stream, mark, consumer, count, jobs)
  local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', count,
                            'STREAMS', stream, '>')
  if not reply then return end
  if reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then error(reply) end
    return restore_group(stream)
  end
  local last
  for _, entry in ipairs(reply[1][2]) do
    last = entry[1]
    local token = mark .. last
    local job = job_of(entry[2][2], token)
    if job then
      jobs[#jobs + 1] = job
    else
      drop({token}) -- its job was removed by hand; the entry goes too
    end
  end
  return last
end

local function express_lane(consumer, count, max_score, jobs)
  if count <= 0 then return end
  local ids = redis.call('ZRANGE', prioritized, '-inf', max_score,
                         'BYSCORE', 'LIMIT', 0, count)
  if #ids == 0 then return end
  for _, id in ipairs(ids) do
    if job_fields(id, 'n') then
      local entry = redis.call('XADD', express, mint(), 'j', id)
      redis.call('HSET', job_key(id), 'e', 'x' .. entry)
      redis.call('HDEL', job_key(id), 's')
    end
  end
  redis.call('ZREM', prioritized, unpack(ids))
  deliver(express, 'x', consumer, count, jobs)
end

-- a lease shorter than the queue's longest: idle time starts that much later
local function shorten_lease(jobs, consumer, lease)
  if lease >= longest_lease or #jobs == 0 then return end
  local tokens = {}
  for _, job in ipairs(jobs) do table.insert(tokens, job[2]) end
  renew(tokens, consumer, lease)
end

-- Returns the jobs and the ms until the next delayed job is due (-1: none).
local function fetch(consumer, want, lease)
  know_lease(lease)
  promote_due()
  local jobs = {}
  if want > 0 then
    express_lane(consumer, want, '(4294967296', jobs)
    local last
    if #jobs < want then last = deliver(ready, '', consumer, want - #jobs, jobs) end
    express_lane(consumer, want - #jobs, '+inf', jobs)
    shorten_lease(jobs, consumer, lease)
    local active = {}
    for _, job in ipairs(jobs) do
      active[#active + 1] = job[1]
      active[#active + 1] = consumer
    end
    emit('active', active)
    if #jobs == want then
      local newest = redis.call('XREVRANGE', ready, '+', '-', 'COUNT', 1)[1]
      if (newest and newest[1] ~= last) or redis.call('ZCARD', prioritized) > 0 then arm() end
    end
  end
  local next_due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if not next_due[1] then return jobs, -1 end
  return jobs, math.max(0, math.floor(tonumber(next_due[2]) / 4096) - now)
end
