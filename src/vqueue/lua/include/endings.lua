--[[ How jobs end, the body of finish.lua: groups of jobs that end alike, given by the indexes of
their values in ARGV (finish.lua says which), as tables of kind, rule, first and last. ]]
local WIDTH = 4
-- What is found out about the call: consumer; is_held (set of tokens); statuses, per job in the
-- order of the groups; ended, the tokens of those that were held; rejected, how many were not;
-- own_max and own_ms, the worker's rate limit, if it has one; has_finished, concludes, buries,
-- parks (what there is to do at the end), kept (sets that have grown, each with its keep rule)
local ending = {statuses = {}, ended = {}, kept = {}, rejected = 0, consumer = ARGV[1], is_held = false}

-- Returns the events of those that are held, having called `write` with each one's index.
local function settle(group, write)
  local told = {}
  for i = group.first, group.last, WIDTH do
    local id, token = ARGV[i], ARGV[i + 1]
    if ending.is_held[token] then
      write(i, id)
      ending.ended[#ending.ended + 1] = token
      told[#told + 1] = id
      told[#told + 1] = ARGV[i + 3]
      ending.statuses[#ending.statuses + 1] = 1
    else
      local was_before = ended_by(id, token .. ':' .. ending.consumer)
      ending.statuses[#ending.statuses + 1] = was_before and 2 or 0
      if not was_before then ending.rejected = ending.rejected + 1 end
    end
  end
  return told
end

local function finish(group, set)
  if Q.has_flows then note_group(group) end
  local told
  if string.sub(group.rule, 1, 2) == '0 ' then
    told = remove_group(group)
  else
    local records, members, at = {}, {}, string.format('%.0f', now)
    told = settle(group, function(i, id)
      records[#records + 1] = jobs_prefix .. id
      records[#records + 1] = ARGV[i + 2]
      members[#members + 1] = at
      members[#members + 1] = id
    end)
    if #told > 0 then
      redis.call('MSET', unpack(records))
      redis.call('ZADD', set, unpack(members))
      ending.kept[#ending.kept + 1] = {set, group.rule}
    end
  end
  if string.find(group.rule, '[*+]') then conclude(group) end
  ending.has_finished = ending.has_finished or #told > 0
  return told
end

-- Settle a group; return its events.
local function end_group(group)
  if group.kind == 'completed' then return finish(group, completed) end
  if group.kind == 'failed' then return finish(group, failed) end
  return end_otherwise(group)
end

--- @later
-- Some jobs fail though their worker says otherwise: each becomes a group of its own. `why`
-- gives the reason (JSON) for the job at an index, nothing for most; flags follow its keep
-- rule, which is its own or the worker's.
local function divert(group, why, flags, parts)
  local from, keep = group.first, string.match(group.rule, '|(.*)$') or '-1 -1'
  for i = group.first, group.last, WIDTH do
    local reason = ending.is_held[ARGV[i + 1]] and why(i)
    if reason then
      local job = job_of(ARGV[i + 2])
      local options = options_of(job)
      job[7] = reason
      ARGV[i + 2] = record_at('f', job)
      ARGV[i + 3] = failure_of(job)
      table.insert(parts, {kind = group.kind, rule = group.rule, first = from, last = i - 1})
      from = i + WIDTH
      table.insert(parts, {kind = 'failed', rule = (options.remove_on_fail or keep) .. flags,
                           first = i, last = from - 1})
    end
  end
  table.insert(parts, {kind = group.kind, rule = group.rule, first = from, last = group.last})
end

-- The groups, without the jobs that fail in truth: a parent does not complete while children
-- have not ended or have failed it, and a job that was cancelled does not run again.
local function diverted(groups)
  local ENDS = {completed = true, failed = true, progress = true, limiter = true}
  local parts = {}
  for _, group in ipairs(groups) do
    if Q.has_flows and group.kind == 'completed' then
      divert(group, function(i) return why_unfinished(ARGV[i]) end, ' *+', parts)
    elseif any_cancelled() and not ENDS[group.kind] then
      divert(group, function(i) return cancel_reason(ARGV[i + 1]) end, ' *', parts)
    else
      table.insert(parts, group)
    end
  end
  return parts
end

local function remove_group(group)
  return settle(group, function(i, id)
    doom(id)
    bury(id, ARGV[i + 1] .. ':' .. ending.consumer)
    if any_partials() then drop_earlier_partials(id, job_of(ARGV[i + 2]).added) end
  end)
end

local function note_group(group)
  for i = group.first, group.last, WIDTH do
    if ending.is_held[ARGV[i + 1]] then note_ended(ARGV[i], group.kind, ARGV[i + 2]) end
  end
end

-- what the options of jobs say about their end
local function conclude(group)
  local is_dead = string.find(group.rule, '+', 1, true)
  ending.concludes, ending.buries = true, ending.buries or is_dead
  for i = group.first, group.last, WIDTH do
    if ending.is_held[ARGV[i + 1]] then
      local job = job_of(ARGV[i + 2])
      local options = options_of(job)
      if options.deduplication then release_owner(options.deduplication, ARGV[i]) end
      if is_dead and options.dead_letter then note_dead(options.dead_letter, ARGV[i], job) end
    end
  end
end

-- Write the records as they are; what follows puts the jobs into their places.
local function settle_records(group)
  return settle(group, function(i, id) redis.call('SET', job_key(id), ARGV[i + 2]) end)
end

-- the last one first: the front of the line grows backwards
local function settle_in_front(group)
  local told = settle_records(group)
  for i = #told - 1, 1, -2 do push_front(told[i], load_job(told[i])) end
  if #told > 0 then arm() end
  return told
end

local others = {}

function others.front(group) return settle_in_front(group) end

function others.progress(group)
  local told = {}
  for i = group.first, group.last, WIDTH do
    if ending.is_held[ARGV[i + 1]] then
      redis.call('HSET', live_key(ARGV[i]), 'g', ARGV[i + 2])
      told[#told + 1] = ARGV[i]
      told[#told + 1] = ARGV[i + 2]
    end
  end
  return told
end

function others.delayed(group)
  local due = now + tonumber(group.rule)
  local told = settle_records(group)
  for i = 1, #told, 2 do
    postpone(told[i], due)
    told[i + 1] = due
  end
  if #told > 0 then arm() end
  return told
end

function others.waiting(group)
  local told = settle_records(group)
  for i = 1, #told, 2 do push_back(told[i], load_job(told[i])) end
  if #told > 0 then arm() end
  return told
end

others['waiting-children'] = function(group)
  ending.parks = true
  local told = settle_records(group)
  for i = 1, #told, 2 do
    redis.call('ZADD', children, now, told[i])
    note_parked(told[i])
  end
  return told
end

function others.limiter(group)
  ending.own_max, ending.own_ms = string.match(group.rule, '^(%d+) (%d+)$')
  ending.own_max, ending.own_ms = tonumber(ending.own_max), tonumber(ending.own_ms)
  return {}
end

function others.limited(group)
  local told = settle_in_front(group)
  if #told > 0 then hold_back(tonumber(group.rule)) end
  return told
end

local function end_otherwise(group) return others[group.kind](group) end
