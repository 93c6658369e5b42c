--[[ Failing jobs from outside their handlers: above the stalled limit, or cancelled. ]]
local failures = {told = {}, rules = {}}

-- any place → failed, or gone when its retention keeps nothing. The caller has taken the job
-- out of its place, and counted what there is to count; tell_failures follows and, when parents
-- were told, unlink_doomed. `prev`: the job's state before, none for active.
local function fail_now(id, job, reason, keep, prev)
  local options = options_of(job)
  local rule = options.remove_on_fail or keep
  job[7] = reason
  local record = record_at('f', job)
  table.insert(failures.told, id)
  table.insert(failures.told, failure_of(job, prev))
  if Q.has_flows then note_ended(id, 'failed', record) end
  if options.deduplication then release_owner(options.deduplication, id) end
  if string.sub(rule, 1, 2) == '0 ' then
    doom(id)
    bury(id, job.by)
    if any_partials() then drop_earlier_partials(id, job.added) end
    return
  end
  redis.call('SET', job_key(id), record)
  redis.call('ZADD', failed, now, id)
  failures.rules[rule] = true
end

local function tell_failures()
  for rule in pairs(failures.rules) do evict(failed, rule) end
  emit('failed', failures.told)
  emit_entered()
end

-- After what was active has been dropped.
local function tell_drained()
  if #failures.told > 0 and is_drained() then emit('drained', {'', ''}) end
end
