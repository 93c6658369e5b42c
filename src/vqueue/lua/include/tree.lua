--[[ Removing jobs with what is under them, over all the queues of a flow. ]]
local TREE_MAX = 250
-- children, and parents of children, that are looked at for one tree, those included that stay
-- because of another parent
local LOOKED_AT_MAX = 1000
local ENDED_CHILDREN = {':vals', ':ign', ':bad'}
-- the same for all trees of the call
local looked_at = 0

-- Of more children than may be looked at some come.
local function children_of(id)
  local key = job_key(id)
  if redis.call('EXISTS', deps_key(id), key .. ':vals', key .. ':ign', key .. ':bad') == 0 then
    return {}
  end
  local refs = redis.call('SRANDMEMBER', deps_key(id), LOOKED_AT_MAX + 1)
  for _, part in ipairs(ENDED_CHILDREN) do
    for _, ref in ipairs(redis.call('HRANDFIELD', key .. part, LOOKED_AT_MAX + 1)) do
      table.insert(refs, ref)
    end
  end
  return refs
end

local function is_kept(id)
  local record = record_of(id)
  return record and not is_bygone(id, place_of(record))
end

-- whether a job outside the tree has it as a child, too
local function has_other_parent(ref, tree)
  local parents = redis.call('SRANDMEMBER', par_key(enter_queue_of(ref)), TREE_MAX + 1)
  -- the tree holds no more
  if #parents > TREE_MAX then return true end
  looked_at = looked_at + #parents
  for _, parent in ipairs(parents) do
    if not tree[parent] and is_kept(enter_queue_of(parent)) then return true end
  end
  return false
end

local function is_active(id)
  local record = record_of(id)
  local place = record and place_of(record)
  return place and entry_of(place) and consumer_of(place)
end

-- The refs of a job and of all that is under it and nowhere else, which are added to `tree`, the
-- set of those that go. Or what is in the way: 'active' (one of them runs), 'many' (more than
-- TREE_MAX, or more than LOOKED_AT_MAX to look at).
local function collect_tree(refs, tree)
  local at, most = 1, looked_at + LOOKED_AT_MAX
  while refs[at] do
    local id = enter_queue_of(refs[at])
    if is_active(id) then return 'active' end
    local found = children_of(id)
    looked_at = looked_at + #found
    if looked_at > most then return 'many' end
    for _, child in ipairs(found) do
      if not tree[child] and not has_other_parent(child, tree) then
        tree[child] = true
        table.insert(refs, child)
        if #refs > TREE_MAX then return 'many' end
      end
      if looked_at > most then return 'many' end
    end
    at = at + 1
  end
end

-- Returns the refs, or nothing and what is in the way; then `tree` is as it was.
local function tree_of(root, tree)
  local refs = {root}
  tree[root] = true
  local obstacle = collect_tree(refs, tree)
  if not obstacle then return refs end
  for _, ref in ipairs(refs) do tree[ref] = nil end
  return nil, obstacle
end

local OPTIONS_LINE = '^[^\n]*\n[^\n]*\n[^\n]*\n([^\n]*)'

local function release_removed(id, place, options)
  if place == 'c' or place == 'f' then return forget_owner(id, options) end
  local dedup = dedup_of(options)
  if dedup then release_owner(dedup, id, true) end
end

-- Take jobs of the queue that was entered, which are not active, out of their places with all that
-- is kept of them. Returns pairs for the event.
local function remove_from_queue(ids, roots)
  local removed, keys, in_line = {}, {}, {[ready] = {}, [express] = {}}
  for _, id in ipairs(ids) do
    local record = record_of(id)
    if record then
      local place = place_of(record)
      table.insert(removed, id)
      if is_bygone(id, place) then -- it has left its place, and owns nothing
        forget(id)
        table.insert(removed, '')
      else
        local stream, entry = entry_of(place)
        table.insert(removed, stream and 'waiting' or (standing_of(id, place)))
        if stream then table.insert(in_line[stream], entry) else leave(id, place) end
        release_removed(id, place, string.match(record, OPTIONS_LINE) or '')
        if Q.has_flows and (not roots or roots[ref_of(id)]) then note_ended(id, 'gone', '') end
        table.insert(keys, partials_key(id))
        for _, key in ipairs(keys_of(id)) do table.insert(keys, key) end
      end
    end
  end
  for stream, entries in pairs(in_line) do
    if #entries > 0 then redis.call('XDEL', stream, unpack(entries)) end
  end
  for i = 1, #keys, 1000 do redis.call('UNLINK', unpack(keys, i, math.min(i + 999, #keys))) end
  return removed
end

-- Remove jobs that are not active; parents that stay wait for them no more. Returns how many
-- there were. `roots`: the set of those that may have such parents; all when it is missing.
local function remove_jobs(refs, roots)
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
    reserve(#ids_of[queue] + 4)
    local removed = remove_from_queue(ids_of[queue], roots)
    emit('removed', removed)
    emit_entered()
    count = count + #removed / 2
  end
  if #notices > 0 then tell_parents(0) end
  enter(home)
  return count
end
