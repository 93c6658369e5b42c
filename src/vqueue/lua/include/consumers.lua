--[[ Consumers of a stream's groups that nobody stands behind any more. A list of them cannot be
read page by page (XINFO CONSUMERS), so they are kept few: each process start makes one. ]]

-- Forget a consumer, unless entries are pending for it; tell whether it was there and is gone.
-- One that lives after all is made anew when it reads next.
local function forget_consumer(stream, group, name)
  local pending = redis.pcall('XPENDING', stream, group, '-', '+', 1, name)
  if pending.err then
    if string.find(pending.err, 'NOGROUP', 1, true) then return false end
    error(pending)
  end
  if #pending > 0 then return false end
  redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
  return true
end
