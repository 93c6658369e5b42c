--[[ The places of the waiting line to which jobs go that are not simply added; and leases. ]]
local function push_back(id, job)
  local gid = Q.has_groups and group_of(job[4])
  if gid then
    local order = 2147483648 + redis.call('HINCRBY', meta, 'back', 1)
    return move(id, job, join_group(gid, id, job.priority, order))
  end
  if job.priority == 0 then
    return move(id, job, redis.call('XADD', ready, mint(), 'j', id))
  end
  local place = 2147483648 + redis.call('HINCRBY', meta, 'back', 1)
  redis.call('ZADD', prioritized, job.priority * 4294967296 + place, id)
  move(id, job, 'p')
end

local function push_front(id, job)
  local place = 2147483648 - redis.call('HINCRBY', meta, 'front', 1)
  local gid = Q.has_groups and group_of(job[4])
  if gid then return move(id, job, join_group(gid, id, job.priority, place)) end
  redis.call('ZADD', prioritized, job.priority * 4294967296 + place, id)
  move(id, job, 'p')
end

-- A delayed job's time has come: it goes to the back of the line or, when it was given children,
-- waits for these. `told`: pairs for the events.
local function come_due(id, job, told)
  local list = told.waiting
  if Q.has_flows and redis.call('EXISTS', job_key(id) .. ':deps') == 1 then
    redis.call('ZADD', children, now, id)
    move(id, job, 'w')
    list = told.parked
  else
    push_back(id, job)
  end
  list[#list + 1] = id
  list[#list + 1] = 'delayed'
end

local function push_lifo(id)
  redis.call('ZADD', prioritized, 4294967295 - redis.call('HINCRBY', meta, 'lifo', 1), id)
end

local function postpone(id, due)
  local order = redis.call('HINCRBY', meta, 'delays', 1) % 4096
  redis.call('ZADD', delayed, due * 4096 + order, id)
end

-- Start the lease of held entries again: idle time is what the sweep judges by, so
-- a lease shorter than the queue's longest starts with the difference already gone.
local function renew(tokens, consumer, lease)
  local idle = math.max(0, (Q.longest_lease or lease) - lease)
  for _, lane in ipairs(group_by_lane(tokens)) do
    local stream, ids = lane[1], lane[2]
    if #ids > 0 then
      local claim = {stream, GROUP, consumer, 0}
      for _, id in ipairs(ids) do table.insert(claim, id) end
      for _, option in ipairs({'IDLE', idle, 'JUSTID'}) do table.insert(claim, option) end
      redis.call('XCLAIM', unpack(claim))
    end
  end
end
