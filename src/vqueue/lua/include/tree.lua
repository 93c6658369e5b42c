--[[ Removing jobs with what is under them, over all the queues of a flow. ]]
local TREE_MAX = 250
-- children that are looked at, those included that stay because of another parent
local LOOKED_AT_MAX = 1000
local ENDED_CHILDREN = {':vals', ':ign', ':bad'}

local function number_of_children(id)
  local number = redis.call('SCARD', deps_key(id))
  for _, part in ipairs(ENDED_CHILDREN) do
    number = number + redis.call('HLEN', job_key(id) .. part)
  end
  return number
end

local function children_of(id)
  local refs = redis.call('SMEMBERS', deps_key(id))
  for _, part in ipairs(ENDED_CHILDREN) do
    for _, ref in ipairs(redis.call('HKEYS', job_key(id) .. part)) do table.insert(refs, ref) end
  end
  return refs
end

-- whether a job outside the tree has it as a child, too
local function has_other_parent(ref, tree)
  local id = enter_queue_of(ref)
  -- the tree holds no more
  if redis.call('SCARD', par_key(id)) > TREE_MAX then return true end
  for _, parent in ipairs(redis.call('SMEMBERS', par_key(id))) do
    if not tree[parent] and record_of(enter_queue_of(parent)) then return true end
  end
  return false
end

-- Returns the refs of a job and of all that is under it and nowhere else; or nothing and
-- what is in the way: 'active' (one of them runs), 'many' (more than TREE_MAX, or more than
-- LOOKED_AT_MAX to look at).
local function tree_of(root)
  local refs, tree, at, looked_at = {root}, {[root] = true}, 1, 0
  while refs[at] do
    local id = enter_queue_of(refs[at])
    local record = record_of(id)
    if record and standing_of(id, place_of(record)) == 'active' then return nil, 'active' end
    looked_at = looked_at + number_of_children(id)
    if looked_at > LOOKED_AT_MAX then return nil, 'many' end
    for _, child in ipairs(children_of(id)) do
      if not tree[child] and not has_other_parent(child, tree) then
        tree[child] = true
        table.insert(refs, child)
        if #refs > TREE_MAX then return nil, 'many' end
      end
    end
    at = at + 1
  end
  return refs
end

-- Remove jobs that are not active; parents that stay wait for them no more. Returns how many
-- there were.
local function remove_jobs(refs)
  local queues, ids_of, count = {}, {}, 0
  for _, ref in ipairs(refs) do
    local queue, id = string.match(ref, '^([^:]+):(.+)$')
    if not ids_of[queue] then
      ids_of[queue] = {}
      table.insert(queues, queue)
    end
    table.insert(ids_of[queue], id)
  end
  for _, queue in ipairs(queues) do
    enter(prefix_of(queue))
    reserve(1)
    local removed = {}
    for _, id in ipairs(ids_of[queue]) do
      local job = load_job(id)
      if job then
        table.insert(removed, id)
        table.insert(removed, (standing_of(id, job[1])))
        leave(id, job[1])
        forget_owner(id, job[4])
        if Q.has_flows then note_ended(id, 'gone', '') end
        redis.call('UNLINK', partials_key(id), unpack(keys_of(id)))
      end
    end
    emit('removed', removed)
    count = count + #removed / 2
  end
  if #notices > 0 then tell_parents(0) end
  enter(home)
  return count
end
