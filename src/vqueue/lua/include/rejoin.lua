--[[ Retried jobs of flows: a parent waits again for a child that runs again, unless it has
started meanwhile; what has failed a parent before is ignored when that one is retried. ]]
local PARTS = {':vals', ':ign', ':bad'}
-- parents that are looked at for one job: others do not wait for it again
local REJOINED_MAX = 500

-- A child runs again. Returns how many parents were looked at.
local function rejoin_parents(id)
  local ref = ref_of(id)
  local parents = redis.call('SSCAN', par_key(id), 0, 'COUNT', REJOINED_MAX)[2]
  for _, parent in ipairs(parents) do
    local parent_id = enter_queue_of(parent)
    local record = record_of(parent_id)
    local place = record and place_of(record)
    if place == 'w' or place == 'f' then
      for _, part in ipairs(PARTS) do redis.call('HDEL', job_key(parent_id) .. part, ref) end
      redis.call('SADD', deps_key(parent_id), ref)
    end
  end
  enter(home)
  return #parents
end

-- A parent runs again. Returns whether there are children that it has to wait for.
local function forgive_children(id)
  local bad = job_key(id) .. ':bad'
  local failures = redis.call('HGETALL', bad)
  for i = 1, #failures, 2 do
    redis.call('HSET', job_key(id) .. ':ign', failures[i], failures[i + 1])
  end
  redis.call('DEL', bad)
  return redis.call('EXISTS', deps_key(id)) == 1
end
