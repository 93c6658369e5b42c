--[[ Jobs that move: their records read, changed and written. ]]
-- The record's lines as a table, with its history.
local function job_of(record)
  local job = {}
  for line in string.gmatch(record .. '\n', '([^\n]*)\n') do job[#job + 1] = line end
  for i = #job + 1, 8 do job[i] = '' end
  local priority, made, begun, stalls, started, added, by = string.match(
    job[2], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  job.priority, job.made, job.begun = tonumber(priority or 0), made or 0, begun or 0
  job.stalls, job.started, job.by = stalls or 0, started or 0, by or ''
  job.added = added or string.match(job[1], '^%d*')
  return job
end

-- What the options line of a job says, by that line: the jobs of a call often share it.
local decoded = {[''] = {}}
local function options_of(job)
  local line = job[4]
  if not decoded[line] then decoded[line] = cjson.decode(line) end
  return decoded[line]
end

-- The job with what came up while it ran; or nothing when there is no job, or something else
-- lies at its key.
local function load_job(id)
  local record = record_of(id)
  if not record then return nil end
  local job = job_of(record)
  local live = redis.call('HMGET', live_key(id), 'g', 'd')
  job[6], job[5] = live[1] or job[6], live[2] or job[5]
  return job
end

-- The record of a job that moves to another place.
local function record_at(place, job)
  job[1] = place
  job[2] = string.format('%.0f %s %s %s %s %s %s', job.priority, job.made, job.begun,
                         job.stalls, job.started, job.added, job.by)
  return table.concat(job, '\n')
end

local function move(id, job, place) redis.call('SET', job_key(id), record_at(place, job)) end

-- The detail of the event that a job has failed. `prev`: its state before; none for active, in
-- which all jobs end that a worker has ended.
local function failure_of(job, prev)
  local ended = table.concat({job.made, job.begun, job.started, job[7]}, ' ')
  return prev and prev .. ' ' .. ended or ended
end

-- Whether this activation has ended before, for a call whose reply was lost.
local function ended_by(id, activation)
  local job = load_job(id)
  if job then return job.by == activation end
  return redis.call('GET', tombstone_key(id)) == activation
end
