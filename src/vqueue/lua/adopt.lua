#!lua flags=allow-oom
--[[ adopt: hand a worker the active jobs that it holds and does not know of, after a
take whose reply was lost; renews their leases
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      lease     (ms)
      known …   (entry tokens that the worker runs)
Returns  {now (ms), jobs as take.lua returns them, -1}; at most 250 jobs: repeat until
         there are none
Cost     O(h), h held jobs, at most 10,000 a lane
Crash    a repeat returns the same jobs ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @lazy consumer_group
--- @lazy gate
--- @include standing
--- @include schedules
--- @include fetch

local consumer, lease = ARGV[1], tonumber(ARGV[2])
local known = {}
for i = 3, #ARGV do known[ARGV[i]] = true end
reserve(0)

local PAGE, PAGES, MOST = 500, 20, 250
local jobs, tokens = {}, {}

local function adopt_from(stream, mark)
  local from = '-'
  for _ = 1, PAGES do
    local pending = redis.pcall('XPENDING', stream, GROUP, from, '+', PAGE, consumer)
    if pending.err then return end
    for _, held_entry in ipairs(pending) do
      local token = mark .. held_entry[1]
      if #tokens == MOST then return end
      local entry = not known[token]
        and redis.call('XRANGE', stream, held_entry[1], held_entry[1])[1]
      local id = entry and entry[2][2]
      -- a job that has moved on left this entry to a finish that broke off
      if id and stands_at(id, token) then
        local told = #jobs
        jobs[told + 1], jobs[told + 2], jobs[told + 3] = token, id, record_of(id)
        tokens[#tokens + 1] = token
      end
    end
    if #pending < PAGE then return end
    from = '(' .. pending[PAGE][1]
  end
end

adopt_from(ready, '')
adopt_from(express, 'x')
renew(tokens, consumer, lease)
return {now, jobs, -1}
