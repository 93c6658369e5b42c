--[[ Retried jobs of flows: a parent waits again for a child that runs again, unless it has
started meanwhile; what has failed a parent before is ignored when that one is retried. ]]
local PARTS = {':vals', ':ign', ':bad'}
-- parents that are looked at for one job: others do not wait for it again
local REJOINED_MAX = 500
local FORGIVEN_MAX = 250

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

-- A parent is to run again. Returns how many children were forgiven: when FORGIVEN_MAX, there
-- may be more, and it does not run before a call has forgiven fewer.
local function forgive_children(id)
  local bad = job_key(id) .. ':bad'
  local failures = redis.call('HRANDFIELD', bad, FORGIVEN_MAX, 'WITHVALUES')
  if #failures == 0 then return 0 end
  redis.call('HSET', job_key(id) .. ':ign', unpack(failures))
  local refs = {}
  for i = 1, #failures, 2 do refs[#refs + 1] = failures[i] end
  redis.call('HDEL', bad, unpack(refs))
  return #refs
end

-- Whether there are children that a parent has to wait for.
local function has_open_children(id) return redis.call('EXISTS', deps_key(id)) == 1 end
