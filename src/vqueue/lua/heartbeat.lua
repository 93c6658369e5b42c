#!lua flags=allow-oom
--[[ heartbeat: renew the leases of a worker's active jobs, and tell which are cancelled
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      lease     (ms)
      entry …   (tokens)
Returns  {the tokens whose lease is lost, {token, reason (JSON), … of those that are to end}}
Cost     O(k)          Crash  a repeat renews again
The check and the claim are one script: a bare XCLAIM of a superseded worker would
take the entry back from its new holder. ]]
--- @include keys
--- @include clock
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include cancel

local consumer, lease = ARGV[1], tonumber(ARGV[2])
reserve(0)
local lost, kept = {}, {}
for i = 3, #ARGV do
  table.insert(held(ARGV[i], consumer) and kept or lost, ARGV[i])
end
know_lease(lease)
renew(kept, consumer, lease)
local cancelled = {}
if any_cancelled() then
  for _, token in ipairs(kept) do
    local reason = cancel_reason(token)
    if reason then
      cancelled[#cancelled + 1] = token
      cancelled[#cancelled + 1] = reason
    end
  end
end
return {lost, cancelled}
