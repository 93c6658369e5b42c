--[[ Cancellations of active jobs. The hash `cancels` holds token → reason (JSON), and the gate
(include/gate.lua) the letter c while there are any: nobody else looks. The worker of such a
job learns it with its heartbeat. Whatever ends the activation but a result or a failure, be it
another attempt, a hand-back or a stall, the job fails with that reason instead. ]]
local function cancels_key() return prefix .. 'cancels' end

local function cancel_reason(token)
  return any_cancelled() and redis.call('HGET', cancels_key(), token) or nil
end

-- Forget cancellations of activations that have ended, 100 at random in a call.
local function forget_cancellations()
  if not any_cancelled() then return end
  for _, token in ipairs(redis.call('HRANDFIELD', cancels_key(), 100)) do
    local stream, id = entry_of(token)
    local pending = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
    if not pending.err and #pending == 0 then redis.call('HDEL', cancels_key(), token) end
  end
  if redis.call('EXISTS', cancels_key()) == 0 then set_gate('c', false) end
end
