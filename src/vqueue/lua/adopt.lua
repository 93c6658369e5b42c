#!lua flags=allow-oom
--[[ adopt: hand a worker the active jobs that it holds and does not know of, after a
take whose reply was lost; renews their leases
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      lease     (ms)
      known …   (entry tokens that the worker runs)
Returns  {now (ms), jobs as take.lua returns them, -1}; at most 250 jobs a lane
Cost     O(k)          Crash  a repeat returns the same jobs ]]
--- @include keys
--- @include clock
--- @include events
--- @include lanes
--- @include fetch

local consumer, lease = ARGV[1], tonumber(ARGV[2])
local known = {}
for i = 3, #ARGV do known[ARGV[i]] = true end
reserve(0)

local jobs, tokens = {}, {}
for stream, mark in pairs({[ready] = '', [express] = 'x'}) do
  local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', 500, consumer)
  if not pending.err then
    for _, held_entry in ipairs(pending) do
      local token = mark .. held_entry[1]
      local entry = not known[token]
        and redis.call('XRANGE', stream, held_entry[1], held_entry[1])[1]
      if entry then
        local id = entry[2][2]
        local fields = redis.call('HMGET', job_key(id), unpack(JOB_FIELDS))
        if fields[1] then
          table.insert(jobs, {id, token, fields})
          table.insert(tokens, token)
        end
      end
    end
  end
end
renew(tokens, consumer, lease)
return {now, jobs, -1}
